"""The two job scripts, run as Snakemake runs them."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile
from probing_kit import protocol
from test_embed import write_items

from musicssl.config.recipes import Items, MfccFloor, Task, Windows

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


def call(script, **job):
    spec = importlib.util.spec_from_file_location(script, SCRIPTS / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(SimpleNamespace(threads=1, **job))


class Files(SimpleNamespace):
    """Named files that also answer ``get``, as Snakemake's do."""

    def get(self, name):
        return getattr(self, name, None)


def test_embed_and_probe_fit_together(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(36):
        tone = np.sin(2 * np.pi * (300, 900)[i % 2] * np.arange(8000) / 16000)
        soundfile.write(tmp_path / f"{i}.wav", 0.3 * tone + 0.01 * rng.standard_normal(8000), 16000)
        rows.append((f"i{i}", ("train", "valid", "test")[i // 12], f"{i}.wav", 0, 0))
    write_items(tmp_path, rows)
    items = tmp_path / "items.csv"
    lines = items.read_text().splitlines()
    items.write_text("\n".join([lines[0], *(f"{line[:-1]}{i % 2}" for i, line in enumerate(lines[1:]))]) + "\n")
    (tmp_path / "task.json").write_text(json.dumps({"classes": ["low", "high"]}))
    windows = Windows(length_s=0.0, min_s=1.0, average="embeddings")
    values = {"dataset": "d", "target": "t", "kind": "multiclass", "metrics": ["accuracy"], "windows": windows}
    task = Task(**values, probe=protocol(), options={}, code_version=1, root=str(tmp_path))
    model = MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23)
    cut = {field.name: asdict(task)[field.name] for field in fields(Items)}
    states = {"digest": "s", "inputs": {"model": {"entry": asdict(model), "inputs": {}}}}
    embeddings = {"name": "mfcc/d", "digest": "e", "inputs": {"states": states, "tones": {"entry": cut}}}
    probe = {"name": "mfcc/tones", "digest": "p", "entry": asdict(task), "inputs": {"states": states}}
    out = tmp_path / "out"
    call(
        "embed_task",
        input=Files(tables=[items], encoder=[]),
        output=Files(pooled=out / "pooled.npy", frames=out / "frames.npy", recipe=out / "recipe.json"),
        params=SimpleNamespace(recipe=embeddings, place={"root": str(tmp_path)}),
    )
    call(
        "probe",
        input=Files(table=items, task=tmp_path / "task.json", states=out / "pooled.npy"),
        output=Files(**{name: out / "probe" / f"{name}.json" for name in ("metrics", "recipe", "predictions")}),
        params=SimpleNamespace(recipe=probe),
    )
    found = json.loads((out / "probe" / "metrics.json").read_text())
    assert found["metrics"]["accuracy"]["mean"] == 1.0
    assert found["floor"]["accuracy"] == 0.5
    assert json.loads((out / "recipe.json").read_text()) == embeddings


def test_the_library_of_probes_imports_nothing_slow():
    code = "import sys, musicssl.probing.protocol; print([m for m in sys.argv[1:] if m in sys.modules])"
    slow = ["transformers", "sklearn", "scipy", "mir_eval", "librosa", "soundfile", "torchaudio", "numba"]
    done = subprocess.run([sys.executable, "-c", code, *slow], cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
