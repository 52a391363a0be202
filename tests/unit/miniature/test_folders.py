"""Folders: listed with checksums, equal for equal seeds, whole or not at all, never over somebody's files."""

import hashlib
import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import synthesize_corpus
import synthesize_dataset
from musicssl import miniature
from musicssl.miniature.folder import fresh_folder
from musicssl.runtime import UserError

EVERYTHING = ["corpus", *miniature.WRITERS]
SUFFIXES = (".wav", ".mp3", ".flac", ".ogg")


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_list_names_every_file_with_its_checksum(name, data, recipe):
    root = data(name)
    listed = json.loads((root / "written.json").read_text())
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {"written.json"}
    assert listed["seed"] == recipe.seed
    assert set(listed["files"]) == found
    for file, digest in listed["files"].items():
        assert hashlib.sha256((root / file).read_bytes()).hexdigest() == digest
    assert not list(root.parent.glob(".*"))


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_seed_decides_every_byte(name, data, recipe, tmp_path):
    few = replace(recipe, seed=4, num_tracks=3, track_s=2.0, items=dict.fromkeys(recipe.items, (1, 1, 1)))

    def write():
        root = tmp_path / name
        miniature.write_corpus(root, few) if name == "corpus" else miniature.write_dataset(name, root, few)
        return json.loads((root / "written.json").read_text())["files"]

    first = write()
    assert write() == first
    empty = ("6/norine_braun", "__MACOSX")  # the same few bytes in every copy, as in the originals
    audio = [digest for file, digest in first.items() if file.endswith(SUFFIXES) and not file.startswith(empty)]
    others = json.loads((data(name) / "written.json").read_text())["files"].values()
    assert len(audio) >= 3
    assert not set(audio) & set(others)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_every_format_is_read_back(suffix, tmp_path):
    t = np.arange(22050) / 22050
    wave = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    with fresh_folder(tmp_path / "x", 0, {}) as folder:
        folder.audio(f"tone.{suffix}", wave, 22050)
    back, rate = soundfile.read(io.BytesIO((tmp_path / "x" / f"tone.{suffix}").read_bytes()))
    assert (rate, len(back)) == (22050, len(wave))
    assert np.abs(back - wave)[500:-500].max() < (1e-4 if suffix in ("wav", "flac") else 0.1)


def test_a_failure_leaves_what_was_there(tmp_path):
    with fresh_folder(tmp_path / "x", 0, {}) as folder:
        folder.text("old.txt", "old")
    with pytest.raises(ZeroDivisionError), fresh_folder(tmp_path / "x", 0, {}) as folder:
        folder.text("new.txt", str(1 / 0))
    assert (tmp_path / "x" / "old.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_leftovers_of_a_killed_run_do_not_leak_in(tmp_path):
    (tmp_path / ".x.part").mkdir()
    (tmp_path / ".x.part" / "half.wav").write_bytes(b"half")
    with fresh_folder(tmp_path / "x", 0, {}) as folder:
        folder.text("whole.txt", "whole")
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["SYNTHETIC.txt", "whole.txt", "written.json"]


def test_files_of_others_are_not_touched(tmp_path, recipe):
    (tmp_path / "nsynth").mkdir()
    (tmp_path / "nsynth" / "mine.wav").write_bytes(b"mine")
    with pytest.raises(UserError, match="not synthetic"):
        miniature.write_dataset("nsynth", tmp_path / "nsynth", recipe)
    assert (tmp_path / "nsynth" / "mine.wav").read_bytes() == b"mine"


def test_unknown_names_and_missing_counts_are_said(tmp_path, recipe):
    with pytest.raises(UserError, match="found data set 'nsinth', expected one of nsynth"):
        miniature.write_dataset("nsinth", tmp_path / "x", recipe)
    with pytest.raises(UserError, match=r"miniature\.items: found no 'gtzan'"):
        miniature.write_dataset("gtzan", tmp_path / "x", replace(recipe, items={}))


def job(output, recipe, **wildcards):
    entry = {**vars(recipe), "items": {name: list(counts) for name, counts in recipe.items.items()}}
    return SimpleNamespace(
        output=SimpleNamespace(written=str(output / "written.json")),
        params=SimpleNamespace(recipe={"entry": entry}),
        wildcards=SimpleNamespace(**wildcards),
    )


def test_scripts_write_where_the_rules_say(tmp_path, recipe):
    few = replace(recipe, num_tracks=1, track_s=2.0, items={"nsynth": (2, 1, 1)})
    for folder in ("corpus", "nsynth"):
        (tmp_path / folder).mkdir()  # Snakemake makes the folder of an output
    synthesize_corpus.main(job(tmp_path / "corpus", few))
    synthesize_dataset.main(job(tmp_path / "nsynth", few, dataset="nsynth"))
    assert (tmp_path / "corpus" / "annotations.csv").exists()
    assert (tmp_path / "nsynth" / "nsynth-test" / "examples.json").exists()
