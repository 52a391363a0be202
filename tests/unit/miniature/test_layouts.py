"""Layouts and labels of each data set, read without the project's own adapters."""

import csv
import hashlib
import json
from collections import Counter

import listening
import numpy as np
import pytest
import soundfile

SHARPS = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
FLATS = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]


def tabbed(path):
    return [line.split("\t") for line in path.read_text().split("\n")[:-1]]


def test_corpus_mixes_formats_and_annotates_what_sounds(data):
    root = data("corpus")
    files = sorted(path for path in root.rglob("*") if path.suffix in (".wav", ".flac", ".ogg", ".mp3"))
    heads = [soundfile.info(path) for path in files]
    assert len(files) == 8
    assert {path.suffix for path in files} == {".wav", ".flac", ".ogg", ".mp3"}
    assert {head.samplerate for head in heads} == {22050, 44100}
    assert {head.channels for head in heads} == {1, 2}
    assert all(head.duration == pytest.approx(4.0, abs=0.01) for head in heads)
    rows = list(csv.DictReader((root / "annotations.csv").open()))
    assert {row["file"] for row in rows} == {path.relative_to(root).as_posix() for path in files}
    assert all(0 <= float(row["start_s"]) <= float(row["end_s"]) <= 4.0 for row in rows)
    solos = [row for row in rows if row["file"].startswith("solo") and row["pitch"]]
    heard = []
    for row in solos:
        wave, rate = soundfile.read(root / row["file"], always_2d=True)
        part = wave[int(float(row["start_s"]) * rate) : int(float(row["end_s"]) * rate)].mean(1)
        heard.append(listening.loudest_pitch(part, rate, range(55, 88)) == int(row["pitch"]))
    assert len(heard) > 10
    assert np.mean(heard) > 0.6  # chance is 1 in 33


def test_nsynth_layout(data):
    root, instruments = data("nsynth"), {}
    for split, count in (("train", 33), ("valid", 10), ("test", 20)):
        examples = json.loads((root / f"nsynth-{split}" / "examples.json").read_text())
        assert len(examples) == count
        assert {path.stem for path in (root / f"nsynth-{split}" / "audio").iterdir()} == set(examples)
        for name, entry in examples.items():
            assert (
                name == entry["note_str"] == f"{entry['instrument_str']}-{entry['pitch']:03d}-{entry['velocity']:03d}"
            )
            family, source, _ = entry["instrument_str"].rsplit("_", 2)
            assert (family, source) == (entry["instrument_family_str"], entry["instrument_source_str"])
            assert len(entry["qualities"]) == 10
            assert sum(entry["qualities"]) == len(entry["qualities_str"])
            head = soundfile.info(root / f"nsynth-{split}" / "audio" / f"{name}.wav")
            assert (head.samplerate, head.frames, head.channels, head.subtype) == (16000, 64000, 1, "PCM_16")
        instruments[split] = {entry["instrument"] for entry in examples.values()}
        families = {entry["instrument_family_str"] for entry in examples.values()}
        assert ("synth_lead" in families) == (split == "train")
    assert not instruments["train"] & (instruments["valid"] | instruments["test"])


def test_nsynth_pitches_are_heard_over_the_bed(data):
    root, hits = data("nsynth"), []
    for split in ("train", "valid", "test"):
        for name, entry in json.loads((root / f"nsynth-{split}" / "examples.json").read_text()).items():
            wave, rate = soundfile.read(root / f"nsynth-{split}" / "audio" / f"{name}.wav")
            heard = listening.loudest_pitch(wave[rate // 10 : 2 * rate], rate, range(48, 66))
            hits.append(heard == entry["pitch"])
    assert np.mean(hits) > 0.7  # chance is 1 in 18


def split_by_hash(metadata):
    """The customary split, written from its description: hash, then collaborators of validation artists follow."""
    songs = [[name.strip() for name in row[1].split(",")] for row in metadata]
    side = {a: int(hashlib.sha1(a.lower().encode()).hexdigest(), 16) % 116 >= 100 for song in songs for a in song}
    by_hash = dict(side)
    for _ in range(2):
        for song in songs:
            if any(side[artist] for artist in song):
                side.update(dict.fromkeys(song, True))
    return [any(side[a] for a in song) for song in songs], [any(by_hash[a] for a in song) for song in songs]


def test_giantsteps_training_set(data):
    root = data("giantsteps") / "giantsteps-mtg-key-dataset"
    header, *rows = tabbed(root / "annotations" / "annotations.txt")
    assert header == ["ID", "MANUAL KEY", "C"]
    columns, *metadata = tabbed(root / "annotations" / "beatport_metadata.txt")
    assert columns == ["ID", "ARTIST", "SONG TITLE", "MIX", "LABEL", "BP GENRE", "BP BPM", "BP KEY"]
    assert [row[0] for row in metadata] == [row[0] for row in rows]
    kept = [confidence == "2" and "/" not in key for _, key, confidence in rows]
    assert any("/" in row[1] for row in rows)
    assert {row[2] for row in rows} == {"0", "1", "2"}
    assert any(row[1].endswith("or ") for row in rows)
    valid, by_hash = split_by_hash(metadata)
    assert Counter(v for v, k in zip(valid, kept) if k) == {False: 12, True: 6}
    assert sum(v != h for v, h, k in zip(valid, by_hash, kept) if k) == 2  # only collaboration makes them validation
    for (song, key, _), keep in zip(rows, kept):
        head = soundfile.info(root / "audio" / f"{song}.LOFI.mp3")
        assert (head.format, head.samplerate) == ("MP3", 44100)
        assert head.duration >= (12 if keep else 1)
        content = (root / "audio" / f"{song}.LOFI.mp3").read_bytes()
        assert (root / "md5" / f"{song}.LOFI.md5").read_text().split()[0] == hashlib.md5(content).hexdigest()
        assert (root / "annotations" / "key" / f"{song}.LOFI.key").read_text().startswith(key.strip().lower())


def test_giantsteps_keys_are_heard(data):
    root, hits = data("giantsteps"), []
    _, *rows = tabbed(root / "giantsteps-mtg-key-dataset" / "annotations" / "annotations.txt")
    keys = {f"giantsteps-mtg-key-dataset/audio/{row[0]}": row[1].split() for row in rows if row[2] == "2"}
    test = root / "giantsteps-key-dataset"
    for path in (test / "annotations" / "key").iterdir():
        assert not path.read_text().endswith("\n")
        keys[f"giantsteps-key-dataset/audio/{path.name.split('.')[0]}"] = path.read_text().split()
    assert len(list((test / "audio").iterdir())) == 6
    for file, key in keys.items():
        if len(key) == 2:
            wave, rate = soundfile.read(root / f"{file}.LOFI.mp3")
            tonic = (SHARPS if key[0] in SHARPS else FLATS).index(key[0])
            hits.append(listening.recognise_key(wave, rate) == (tonic, key[1]))
    assert len(hits) == 24
    assert np.mean(hits) > 0.3  # chance is 1 in 24


def test_gtzan_lists_name_clips_and_leave_one_out(data):
    root, listed = data("gtzan"), {}
    for split, count in (("train", 10), ("valid", 4), ("test", 10)):
        lines = (root / f"{split}_filtered.txt").read_text().split("\n")[:-1]
        assert len(lines) == count
        listed.update(dict.fromkeys(lines, split))
    audio = root / "Data" / "genres_original"
    found = {path.relative_to(audio).as_posix() for path in audio.rglob("*.wav")}
    assert len(listed) == 24
    assert set(listed) < found
    assert len(found) == 25
    assert {name.split("/")[0] for name, split in listed.items() if split == "test"} == {
        *("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
    }
    assert {soundfile.info(audio / name).samplerate for name in found} == {22050}


def test_gtzan_beats_are_heard_and_told_apart_by_the_sandbox_only(data):
    root, contrasts, eighths, no_downbeats = data("gtzan"), [], [], []
    for path in sorted((root / "GTZAN-Rhythm_v2_ismir2015_lbd" / "jams").iterdir()):
        document = json.loads(path.read_text())
        layers = {
            layer["sandbox"]["annotation_type"]: [event["time"] for event in layer["data"]]
            for layer in document["annotations"]
            if layer["namespace"] == "beat"
        }
        values = {(e["value"], e["confidence"], e["duration"]) for a in document["annotations"] for e in a["data"]}
        assert values == {(1.0, 1.0, 0.0)}
        assert set(layers["downbeat"]) <= set(layers["beat"])
        no_downbeats += [path.name] if not layers["downbeat"] else []
        if "8th-note" in layers:
            eighths.append(path.name)
            assert len(layers["8th-note"]) >= 2 * len(layers["beat"]) - 1
        name = path.name.removesuffix(".wav.jams")
        wave, rate = soundfile.read(root / "Data" / "genres_original" / name.split(".")[0] / f"{name}.wav")
        if not name.startswith("classical"):
            contrasts.append(listening.contrast_at(layers["beat"], wave, rate))
    assert eighths
    assert [name.split(".")[0] for name in no_downbeats] == ["jazz"]
    assert min(contrasts) > 1.2
