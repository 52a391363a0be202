"""Indexes as large as the real ones are read in seconds, within a gigabyte."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from task_layouts import nsynth_note, put

from musicssl.datasets import mtg_jamendo, nsynth

SCRIPTS = Path(nsynth.__file__).parents[2]
GIGABYTE = 1e9
SECONDS = 30  # of processor time, imports included; 8 and 3 were measured
LISTED = """
import sys, time
from pathlib import Path
from musicssl.runtime import peak_resident_bytes
from musicssl.artefacts import task as stored
from musicssl.config.recipes import Items
from musicssl.datasets import disk
from musicssl.tasks.prepare import prepare, table_of

def list_audio(root, folder):
    place = folder.relative_to(root).as_posix()
    path = root / "listing" / (place.replace("/", "-") + ".txt")
    names = path.read_text().split() if path.exists() else []
    return {name: disk.AudioFile(f"{place}/{name}", 9) for name in names}

disk.list_audio = list_audio
root, dataset, target, kind = Path(sys.argv[1]), *sys.argv[2:5]
task = Items(dataset=dataset, target=target, kind=kind, items="recording", options={})
data = prepare(task, None, root, lambda path: 4.0)
stored.write(root / "out", table_of("big", task, data))
assert stored.read(root / "out").items == data.items
print(len(data.items), len(data.skipped), len(data.classes), peak_resident_bytes(), int(time.process_time()))
"""


def read_in_child(root: Path, dataset: str, target: str, kind: str) -> list[int]:
    """Return items, skipped items, classes, peak bytes and seconds of a process that reads a task and writes its table.

    Audio listings come from text files: 300,000 real files would test the file system.
    """
    command = [sys.executable, "-c", LISTED, str(root), dataset, target, kind]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


def test_nsynth_with_its_306k_notes(tmp_path):
    for k, (split, count) in enumerate(nsynth.EXPECTED.items()):
        names = [f"synth_lead_synthetic_{k}{i:06d}-{i % 112 + 9:03d}-075" for i in range(count)]
        text = ",".join(f'"{name}":{json.dumps(nsynth_note(name))}' for name in names)
        put(tmp_path / f"nsynth-{split}" / "examples.json", "{" + text + "}")
        (tmp_path / f"nsynth-{split}" / "audio").mkdir()
        put(tmp_path / "listing" / f"nsynth-{split}-audio.txt", "\n".join(names))
    items, skipped, classes, peak, seconds = read_in_child(tmp_path, "nsynth", "pitch", "multiclass")
    assert (items, skipped, classes) == (305_979, 0, 128)
    assert peak < GIGABYTE
    assert seconds < SECONDS


def test_mtg_jamendo_with_its_55k_tracks(tmp_path):
    draw, tags = random.Random(0), [f"tag{i:02d}" for i in range(87)]
    folders: dict[str, list[str]] = {}
    number = 0
    for part, split in mtg_jamendo.PARTS.items():
        rows = ["TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS"]
        for _ in range(mtg_jamendo.EXPECTED["genre"][part]):
            number += 1
            named = "\t".join(f"genre---{tag}" for tag in draw.sample(tags, draw.randint(1, 4)))
            rows.append(
                f"track_{number:07d}\tartist_{part}{number % 999}\tb\t{number % 100:02d}/{number}.mp3\t245.0\t{named}"
            )
            folders.setdefault(f"{number % 100:02d}", []).append(f"{number}.low")
        put(tmp_path / "data/splits/split-0" / f"autotagging_genre-{split}.tsv", "\r\n".join(rows) + "\r\n")
    for folder, names in folders.items():
        put(tmp_path / "listing" / f"audio-low-{folder}.txt", "\n".join(names))
    items, skipped, classes, peak, seconds = read_in_child(tmp_path, "mtg-jamendo", "genre", "multilabel")
    assert (items, skipped, classes) == (55_094, 0, 87)
    assert peak < GIGABYTE
    assert seconds < SECONDS
