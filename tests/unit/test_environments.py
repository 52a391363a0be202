"""pip and conda install the same versions, and the default installation imports."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {normal(line.split("==")[0]): line.split("==")[1] for line in lines if "==" in line and line[0] != "#"}


def test_every_requirement_is_locked() -> None:
    names = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert names
    assert {normal(name) for name in names} <= set(locked())


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_conda_and_pip_pin_the_same_versions(path: Path) -> None:
    pip = next(d["pip"] for d in yaml.safe_load(path.read_text())["dependencies"] if isinstance(d, dict))
    for pin in pip:
        name, version = pin.split("==")
        assert locked()[normal(name).replace("faiss-gpu", "faiss-cpu")] == version, pin


def test_jobs_that_may_get_a_gpu_have_faiss_for_it() -> None:
    """The wheel of PyPI, pinned, where centroids are fitted and labels assigned; a machine without a GPU needs none."""
    with_faiss = [path.stem for path in ENVS if "faiss-gpu==" in path.read_text()]
    assert with_faiss == ["cluster", "train"]
    assert not any("faiss" in path.read_text().split("pip:")[0] for path in ENVS)


def test_the_controller_borrows_nothing_heavy() -> None:
    text = (ROOT / "envs/controller.yaml").read_text()
    assert not re.search(r"numpy|torch|pandas", text)


def test_torchaudio_and_transformers_import_together() -> None:
    code = "import torch, torchaudio.compliance.kaldi; from transformers import HubertModel"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
