"""``python -m musicssl <command>``: ``config`` (show, diff, check), ``plan`` and ``tasks check``."""

from __future__ import annotations

import sys

from .commands import config, tasks


def main() -> int:
    """Run one sub-command with the arguments after its name."""
    name, *rest = sys.argv[1:] or [""]
    known = {"config": config.main, "plan": config.main, "tasks": tasks.main}
    if name not in known:
        print(f"{__doc__}\nfound {name!r}, expected one of {', '.join(known)}", file=sys.stderr)
        return 2
    return known[name](rest if name != "plan" else ["plan", *rest])


if __name__ == "__main__":
    sys.exit(main())
