"""Run Snakemake on the real Snakefile in a folder of the test's own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Workflow:
    """The repository's workflow, working in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("workflow", "config", "rules", "envs", "Snakefile"):
            (folder / name).symlink_to(ROOT / name)

    @staticmethod
    def environment() -> dict[str, str]:
        """Return the environment of an activated installation: its programs on PATH, the library importable."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "workflow/scripts")}

    def snakemake(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run Snakemake and return its output; with ``check``, fail on an error."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        return done

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry-run would run."""
        text = self.snakemake("--quiet", "rules", "--dry-run", *arguments)
        lines = (text.stdout + text.stderr).splitlines()
        counts = [re.fullmatch(r"(\w+)\s+(\d+)", line.strip()) for line in lines]
        return {match[1]: int(match[2]) for match in counts if match and match[1] != "total"}


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    """Return the workflow in an empty folder."""
    return Workflow(tmp_path)


@pytest.fixture(scope="module")
def make_workflow(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Workflow]:
    """Return a maker of workflows, each in an empty folder of its own."""
    return lambda: Workflow(tmp_path_factory.mktemp("workflow"))
