"""Progress and orphans."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from musicssl import runtime

SCRIPTS = Path(runtime.__file__).parents[1]


def test_progress_tells_how_much_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert list(runtime.progress(range(3), 3, "files", every_s=0.0)) == [0, 1, 2]
    assert [record.getMessage().split(",")[0] for record in caplog.records[:2]] == ["1/3 files", "2/3 files"]


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    worker = "from musicssl import runtime; import time, os; runtime.die_with_parent(0.05); " \
             "print(os.getpid(), flush=True); time.sleep(60)"  # fmt: skip
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
    started = subprocess.Popen(
        [sys.executable, "-c", parent, worker], cwd=SCRIPTS, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert started.stdout is not None
    pid = int(started.stdout.readline())
    started.send_signal(signal.SIGKILL)
    started.wait()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return  # dead; nobody has collected it yet
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")
