"""Being asked to stop: note the signal, finish the update, save, leave."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class StopRequest:
    """While entered, a signal sets ``number`` instead of ending the process."""

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopRequest:
        self._before = {number: signal.signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number

    @property
    def exit_code(self) -> int:
        """128 + the signal, as a shell reports it; a rank that was not asked itself follows with SIGTERM's."""
        return 128 + (self.number or signal.SIGTERM)
