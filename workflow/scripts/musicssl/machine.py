"""What a process runs on and with: commit, source files, packages, machine, device, settings that decide numbers.

Nothing is imported to find out: a job that never loaded torch has no torch in its record.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import socket
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "PyYAML", "faiss": "faiss-cpu", "attr": "attrs"}
VARIABLES = re.compile(
    r"(OMP|MKL|OPENBLAS|BLIS|GOTO|KMP|CUBLAS|CUDA|CUDNN|NCCL|TORCH|PYTORCH|ATEN|ONEDNN|DNNL|NVIDIA|XLA|HF|TRANSFORMERS)_\w+"
    r"|PYTHONHASHSEED|LD_PRELOAD|MALLOC_\w+"
)
SLURM = ("SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURM_JOB_NODELIST", "SLURM_RESTART_COUNT")


@lru_cache(maxsize=1)
def commit() -> tuple[str, list[str]]:
    """Return the commit the code runs from and the files that differ from it; ``unknown`` where git does not know it.

    A copy of the code that lies inside another repository is not that repository's commit.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True, timeout=20, check=True)
        return done.stdout

    try:
        if not git("ls-files", "--", "__init__.py").strip():
            return "unknown", []
        changed = git("status", "--porcelain", "--", str(PACKAGE.parents[2])).splitlines()
        return git("rev-parse", "HEAD").strip(), [line[3:] for line in changed]
    except (OSError, subprocess.SubprocessError):
        return "unknown", []


def revision() -> str:
    """Return twelve digits of the commit, marked ``+`` where files differ from it, or ``unknown``."""
    known, changed = commit()
    return known[:12] + ("+" if changed and known != "unknown" else "")


def sources() -> dict[str, str]:
    """Return ten digits of the SHA-256 of every file of the library that is loaded, by its path in the library."""
    files = {getattr(module, "__file__", None) for name, module in sys.modules.items() if name.startswith("musicssl")}
    found = {}
    for file in sorted(file for file in files if file):
        path = Path(file)
        if path.is_relative_to(PACKAGE):
            found[path.relative_to(PACKAGE).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    return found


def distributions() -> dict[str, str]:
    """Return the versions of the packages that are loaded."""
    tops = {name.partition(".")[0] for name in list(sys.modules)} - set(sys.stdlib_module_names)
    found = {}
    for top in sorted(name for name in tops if not name.startswith("_")):
        try:
            name = DISTRIBUTIONS.get(top, top)
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue
    return found


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the model of the CPU."""
    info = Path("/proc/cpuinfo")
    match = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return match[1].strip() if match else platform.processor() or platform.machine()


def instruction_sets() -> dict[str, Any]:
    """Return the instruction sets that the loaded numerical libraries use, by library."""
    found: dict[str, Any] = {}
    if torch := sys.modules.get("torch"):
        found["torch"] = torch.backends.cpu.get_cpu_capability()
    if umath := sys.modules.get("numpy._core._multiarray_umath"):
        found["numpy"] = [name for name, there in umath.__cpu_features__.items() if there][-1:]
    if threadpoolctl := sys.modules.get("threadpoolctl"):
        found["blas"] = sorted({i["architecture"] for i in threadpoolctl.threadpool_info() if i.get("architecture")})
    return found


def gpu() -> dict[str, Any]:
    """Return the GPU of this process and the versions of what drives it; nothing where torch uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    return {
        "name": torch.cuda.get_device_name(),
        "count": torch.cuda.device_count(),
        "capability": list(torch.cuda.get_device_capability()),
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "nccl": list(torch.cuda.nccl.version()) if hasattr(torch.cuda, "nccl") else None,
    }


def _driver() -> str:
    version = Path("/proc/driver/nvidia/version")
    match = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", version.read_text()) if version.exists() else None
    return match[1] if match else "unknown"


def threads() -> dict[str, int]:
    """Return how many threads the process may use, and torch where it is loaded."""
    found = {"cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1}
    if torch := sys.modules.get("torch"):
        found["torch"] = torch.get_num_threads()
    return found


def surroundings() -> dict[str, Any]:
    """Return all of it, as plain values; what depends on loaded modules is best asked at the end of a job."""
    known, changed = commit()
    return {
        "command": [sys.executable, *sys.argv],
        "commit": known,
        "changed_files": changed,
        "sources": sources(),
        "python": platform.python_version(),
        "packages": distributions(),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": processor(),
        "instruction_sets": instruction_sets(),
        "gpu": gpu(),
        "threads": threads(),
        "variables": {name: value for name, value in sorted(os.environ.items()) if VARIABLES.fullmatch(name)},
        "slurm": {name: os.environ[name] for name in SLURM if name in os.environ},
    }
