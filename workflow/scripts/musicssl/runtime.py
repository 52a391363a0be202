"""Logging, seeds, device, threads and progress of one process, and the error that is a sentence."""

from __future__ import annotations

import logging
import os
import platform
import random
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
logger = logging.getLogger(__name__)
PACKAGES = ("torch", "torchaudio", "transformers", "numpy", "faiss-cpu", "librosa", "scikit-learn", "mir_eval")


class UserError(ValueError):
    """Something the user can fix: what was found, what was expected, which file or key, what to do."""


def start_log(path: str | Path | None, title: str = "", quiet: bool = False) -> None:
    """Send log records to the end of ``path`` and, unless ``quiet``, to stderr, each under the title of its job."""
    handlers: list[logging.Handler] = []
    if not quiet:
        handlers.append(logging.StreamHandler(sys.stderr))
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(path, encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s %(levelname).1s {title.replace('%', '%%') or '%(name)s'}: %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers or [logging.NullHandler()],
        force=True,
    )
    for noisy in ("distributed", "faiss", "httpx", "matplotlib", "numba", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def provenance() -> dict[str, Any]:
    """Return git revision, interpreter, machine and package versions of this process."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "git": git_revision(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "packages": versions,
    }


def git_revision() -> str:
    """Return the commit the code runs from, marked ``+`` when files differ from it, or ``unknown``."""
    here = Path(__file__).parent
    try:
        revision = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, timeout=10
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=here, capture_output=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return revision.stdout.strip() + ("+" if dirty.stdout.strip() else "") if revision.returncode == 0 else "unknown"


def seed_everything(seed: int) -> None:
    """Seed Python and torch, and ask torch for deterministic kernels; NumPy code takes its own generators."""
    import torch

    random.seed(seed)
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


def use_threads(num_threads: int) -> None:
    """Give torch ``num_threads`` threads: the count is part of what makes two CPU runs equal."""
    import torch

    torch.set_num_threads(max(1, num_threads))


def device() -> Any:
    """Return the accelerator of this process (``cuda`` by ``LOCAL_RANK``), or the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def peak_resident_bytes() -> int:
    """Return the most memory this process has held at once.

    Linux lets ``ru_maxrss`` start at the peak of the process that spawned this one; its own status file does not.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def die_with_parent(poll_s: float = 0.5) -> None:
    """End this process as soon as the one that started it is gone.

    ``torchrun`` gives its workers sessions of their own, so a SIGKILL of the process group spares them; an orphan would
    go on writing beside the run that replaces it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll_s)
        os._exit(1)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


def die_with_program(name: str, poll_s: float = 0.5) -> None:
    """End this process as soon as the nearest of its ancestors that runs a program is gone.

    A SIGKILL of Snakemake alone spares its jobs, which would go on writing beside the run that replaces it.

    Args:
        name: of the program, as its command line says it; where no ancestor runs it, nothing is done.
        poll_s: seconds between looks.
    """
    found = _ancestor(name)
    if found is None:
        return

    def watch() -> None:
        while _started(found[0]) == found[1]:
            time.sleep(poll_s)
        os._exit(1)

    threading.Thread(target=watch, name=f"die-with-{name}", daemon=True).start()


def _ancestor(name: str) -> tuple[int, str] | None:
    """Return number and start time of the nearest ancestor that runs a program (Linux; elsewhere, none)."""
    pid = os.getppid()
    while pid > 1 and (started := _started(pid)):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if any(Path(word).name == name for word in words):
            return pid, started
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; empty where there is no such process."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]


def progress(items: Iterable[T], total: int, unit: str, every_s: float = 10.0) -> Iterator[T]:
    """Yield ``items`` and log how many of ``total`` are done, the rate and the time left, every ``every_s`` seconds."""
    start = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= every_s and done < total:
            rate = done / (now - start)
            logger.info("%d/%d %s, %.1f/s, %.0f s left", done, total, unit, rate, (total - done) / rate)
            last = now
    logger.info("%d %s in %.1f s", done, unit, time.monotonic() - start)
