"""The two job scripts, run as Snakemake runs them."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile
from probing_kit import task_of, view_of

from musicssl.config.recipes import Items, MfccFloor

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


def write_tones(root):
    """Write 36 clips of two genres, a low tone and a high one, as GTZAN has them."""
    rng = np.random.default_rng(0)
    lists = {"train": [], "valid": [], "test": []}
    for i in range(36):
        genre = ("blues", "rock")[i % 2]
        tone = np.sin(2 * np.pi * (300, 900)[i % 2] * np.arange(8000) / 16000)
        path = root / "genres" / genre / f"{genre}.{i:05d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * tone + 0.01 * rng.standard_normal(8000), 16000)
        lists[[*lists][i // 12]].append(f"{genre}/{path.name}")
    for split, names in lists.items():
        (root / f"{split}_filtered.txt").write_text("\n".join(names) + "\n")


def test_the_scripts_fit_together(tmp_path):
    root, out = tmp_path / "gtzan", tmp_path / "out"
    write_tones(root)
    task = SimpleNamespace(**asdict(task_of()) | {"dataset": "gtzan", "target": "genre"})
    entry = {field.name: getattr(task, field.name) for field in fields(Items)}
    dataset = {"name": "gtzan", "digest": "d", "entry": {}, "inputs": {}}
    items = {"name": "tones", "digest": "t", "entry": entry, "inputs": {"dataset": dataset}}
    model = {"entry": asdict(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23)), "inputs": {}}
    inputs = {"model": model, "dataset": dataset, "view": {"entry": asdict(view_of())}}
    states = {"name": "mfcc/gtzan/whole", "digest": "s", "entry": {}, "inputs": inputs}
    probe = {"name": "mfcc/tones", "digest": "p", "entry": vars(task), "inputs": {"states": states, "task": items}}
    place = {"root": str(root)}
    listing = out / "recordings.csv"
    call(
        "list_recordings",
        output=Files(recordings=listing),
        params=SimpleNamespace(recipe=dataset, place=place),
    )
    call(
        "prepare_task",
        input=Files(recordings=listing),
        output=Files(table=out / "task" / "items.csv"),
        params=SimpleNamespace(recipe=items, place=place),
    )
    blocks = [out / "000.npy", out / "001.npy"]
    for k, block in enumerate(blocks):
        call(
            "embed",
            input=Files(recordings=listing, encoder=[]),
            output=Files(states=block),
            params=SimpleNamespace(recipe=states, block=[k, 2], place=place),
        )
    kept = {"predictions": out / "probe" / "predictions.npz", "fit": out / "probe" / "fit.json"}
    call(
        "probe",
        input=Files(table=out / "task" / "items.csv", states=blocks),
        output=Files(**kept),
        params=SimpleNamespace(recipe=probe),
    )
    scoring = {"name": "mfcc/tones", "digest": "c", "entry": {"num_bootstraps": 50}, "inputs": {"probe": probe}}
    call(
        "score_probe",
        input=Files(**kept),
        output=Files(metrics=out / "probe" / "metrics.json"),
        params=SimpleNamespace(recipe=scoring),
    )
    found = json.loads((out / "probe" / "metrics.json").read_text())
    assert found["metrics"]["accuracy"]["mean"] == 1.0
    assert found["floor"]["accuracy"] == 0.5
    assert found["num_items"] == {"train": 12, "valid": 12, "test": 12}
    first = listing.read_text().splitlines()[1].split(",")
    assert first[:2] == ["genres/blues/blues.00000.wav", "0.5"]
    assert first[2] == hashlib.sha256((root / first[0]).read_bytes()).hexdigest()


def test_the_library_of_probes_imports_nothing_slow():
    code = "import sys, musicssl.probing.protocol; print([m for m in sys.argv[1:] if m in sys.modules])"
    slow = ["transformers", "sklearn", "scipy", "mir_eval", "librosa", "soundfile", "torchaudio", "numba"]
    done = subprocess.run([sys.executable, "-c", code, *slow], cwd=SCRIPTS, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
