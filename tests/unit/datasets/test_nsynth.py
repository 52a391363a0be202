"""NSynth: notes, labels and half downloads."""

from __future__ import annotations

import json

import pytest
from task_layouts import nsynth_note, put, read_dataset, write_nsynth

from musicssl.datasets import base, nsynth
from musicssl.runtime import UserError


@pytest.fixture
def root(tmp_path):
    return write_nsynth(tmp_path)


def reasons(data):
    return {skip.item: skip.reason for skip in data.skipped}


def test_pitch_is_the_midi_number_and_family_the_official_id(root):
    pitch = {item.id: item for item in read_dataset("nsynth", "pitch", root, {}).items}
    family = {item.id: item for item in read_dataset("nsynth", "instrument", root, {}).items}
    assert pitch["synth_lead_synthetic_001-021-127"].target == 21
    assert family["synth_lead_synthetic_001-021-127"].target == 9
    assert family["reed_acoustic_009-009-075"].target == 7
    assert family["reed_acoustic_009-009-075"].split == "valid"
    assert pitch["bass_electronic_002-120-025"].path == "nsynth-train/audio/bass_electronic_002-120-025.wav"


def test_families_absent_from_the_test_part_are_named(root):
    notes = read_dataset("nsynth", "instrument", root, {}).notes
    assert any(note.startswith("test has no item of 9 of 11 classes:") and "synth_lead" in note for note in notes)


def test_half_downloads_are_told_note_by_note(root):
    audio = root / "nsynth-train" / "audio"
    (audio / "reed_acoustic_123-064-075.wav").unlink()
    (audio / "bass_electronic_002-120-025.wav").write_bytes(b"")
    put(audio / "string_acoustic_001-050-075.wav")
    put(audio / "._synth_lead_synthetic_001-021-127.wav")
    data = nsynth.read(root, "pitch", {})
    assert reasons(data) == {
        "reed_acoustic_123-064-075": base.MISSING_AUDIO,
        "bass_electronic_002-120-025": base.EMPTY_FILE,
        "string_acoustic_001-050-075": base.NO_ROW,
    }


def test_training_instruments_stay_in_training(root):
    """Validation and test may share theirs, as in the original."""
    names = {"valid": "bass_synthetic_033-050-025", "test": "synth_lead_synthetic_001-060-050"}
    for split, message in (
        ("valid", None),
        ("test", "instrument 'synth_lead_synthetic_001' is in valid or test, and in"),
    ):
        index = root / f"nsynth-{split}" / "examples.json"
        index.write_text(json.dumps(json.loads(index.read_text()) | {names[split]: nsynth_note(names[split])}))
        put(root / f"nsynth-{split}" / "audio" / f"{names[split]}.wav")
        if message is None:
            assert len(nsynth.read(root, "pitch", {}).items) == 7
            continue
        with pytest.raises(UserError, match=rf"nsynth-test/examples.json: {message} train by .*nsynth-train/examples"):
            nsynth.read(root, "pitch", {})


def test_upper_case_extensions_are_found(root):
    path = root / "nsynth-test" / "audio" / "bass_synthetic_033-060-050.wav"
    path.rename(path.with_suffix(".WAV"))
    data = nsynth.read(root, "pitch", {})
    assert not data.skipped
    assert data.items[-2].path.endswith("bass_synthetic_033-060-050.WAV")


@pytest.mark.parametrize("label", [128, -1, "60", True, 60.5, None])
def test_labels_out_of_range_are_skipped(root, label):
    name = "reed_acoustic_009-009-075"
    note = {**nsynth_note(name), "pitch": label}
    put(root / "nsynth-valid" / "examples.json", json.dumps({name: note}))
    assert reasons(nsynth.read(root, "pitch", {})) == {name: base.UNKNOWN_LABEL}


def test_a_cut_index_and_a_foreign_one_are_refused(root):
    path = root / "nsynth-train" / "examples.json"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match=r"nsynth-train/examples.json: not whole JSON.*unpack it again"):
        nsynth.read(root, "pitch", {})
    path.write_text('{"a": {"pitch": 3}}')
    with pytest.raises(UserError, match=r"no notes keyed by note_str"):
        nsynth.read(root, "pitch", {})
    path.write_bytes(b"\xef\xbb\xbf" + text.replace(", ", ",\r\n").encode())
    assert len(nsynth.read(root, "pitch", {}).items) == 6


def test_all_missing_parts_are_named_at_once(root):
    (root / "nsynth-valid" / "examples.json").unlink()
    (root / "nsynth-test" / "examples.json").unlink()
    with pytest.raises(UserError, match=r"missing nsynth-valid/examples.json, nsynth-test/examples.json;"):
        nsynth.read(root, "pitch", {})
