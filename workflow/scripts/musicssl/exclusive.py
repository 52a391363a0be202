"""``python -m musicssl.exclusive LOCKFILE COMMAND...``: run a command that no second run may run beside.

The lock belongs to the open file, not to the file's existence: it ends with the process, however that ends, so nothing
is ever left to unlock by hand.
"""

import fcntl
import os
import sys
from pathlib import Path


def main() -> None:
    """Take the lock, then become the command."""
    path, *command = sys.argv[1:]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode() or "?"
        sys.exit(f"{path}: process {holder} is already working here; wait for it, or stop it and try again")
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    os.set_inheritable(lock, True)
    os.environ.pop("PYTHONPATH", None)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
