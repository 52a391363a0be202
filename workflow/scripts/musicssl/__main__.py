"""``musicssl <command>``: ``config`` (show, diff, check), ``plan``, ``tasks check`` and ``verify``."""

from __future__ import annotations

import sys

from .commands import config, tasks, verify


def main() -> int:
    """Run one sub-command with the arguments after its name."""
    name, *rest = sys.argv[1:] or [""]
    known = {"config": config.main, "plan": config.main, "tasks": tasks.main, "verify": verify.main}
    if name not in known:
        print(f"{__doc__}\nfound {name!r}, expected one of {', '.join(known)}", file=sys.stderr)
        return 2
    return known[name](rest if name != "plan" else ["plan", *rest])


if __name__ == "__main__":
    sys.exit(main())
