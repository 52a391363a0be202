"""Layouts and labels of the data sets with tags, emotions and singers, read without the project's own adapters."""

import csv
import hashlib
from collections import defaultdict

import listening
import numpy as np
import pytest
import soundfile

from musicssl.miniature import emomusic, jamendo, magnatagatune, vocalset
from musicssl.miniature.scenes import SCENES, perform
from musicssl.miniature.styles import GENRES
from musicssl.miniature.synth import generator

RATE = 22050


def test_magnatagatune_layout(data):
    root = data("magnatagatune")
    text = (root / "annotations_final.csv").read_text()
    assert text.startswith('"clip_id"\t"guitar"\t')
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    counts = defaultdict(int)
    for row in rows:
        tags = {tag for tag, mark in row.items() if mark == "1"}
        if row["clip_id"] == "35644":
            assert (root / row["mp3_path"]).stat().st_size == 0
            continue
        counts["train" if row["mp3_path"][0] < "c" else "valid" if row["mp3_path"][0] == "c" else "test"] += 1
        assert ("no vocals" in tags) != ("voice" in tags)
        head = soundfile.info(root / row["mp3_path"])
        assert (head.format, head.samplerate, head.channels) == ("MP3", 16000, 1)
    assert counts == {"train": 6, "valid": 3, "test": 3}


def test_scenes_cover_the_fifty_tags_and_sound_as_they_say():
    tags = [magnatagatune.words(scene) for scene in SCENES]
    for tag in magnatagatune.TAGS[:50]:
        assert 0 < sum(tag in found for found in tags) < len(SCENES), tag
    assert set(jamendo.TOP50) <= {tag for scene in SCENES for tag in jamendo.tags(scene)}
    level, bpm = {}, {}
    for scene, found in zip(SCENES, tags):
        song, wave = perform(scene, 6.0, generator(1, scene.lead))
        bpm[scene] = song.bpm
        level[scene] = np.abs(wave).max()
        assert ("slow" in found) == (song.bpm < 90), scene
        assert ("fast" in found) == (song.bpm > 130), scene
        assert ("loud" in found) <= (level[scene] > 0.7)
        assert ("quiet" in found) <= (level[scene] < 0.35)
        assert ("drums" in found) == bool(song.hits)


def test_resampling_to_the_clip_rate_keeps_a_tone():
    wave = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050).astype(np.float32)
    low = magnatagatune.to_clip_rate(wave)
    assert len(low) == 16000
    assert np.abs(low - np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)).max() < 1e-3


def test_jamendo_layout(data):
    root, artists, tracks = data("mtg-jamendo"), {}, {}
    for part in ("train", "validation", "test"):
        for subset in ("top50tags", "genre", "instrument", "moodtheme"):
            text = (root / f"data/splits/split-0/autotagging_{subset}-{part}.tsv").read_bytes().decode()
            header, *rows = text.split("\r\n")[:-1]
            assert header.split("\t") == ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
            assert "\n" not in header
            for track, artist, _, path, _, *tags in (row.split("\t") for row in rows):
                assert tags
                assert all(subset in ("top50tags", tag.split("---")[0].replace("/", "")) for tag in tags)
                assert artists.setdefault(artist, part) == part
                tracks[path] = part
                assert int(track.removeprefix("track_")) == int(path[3:-4])
                assert path[:2] == path[:-4][-2:]
    assert sorted(tracks.values()) == ["test"] * 3 + ["train"] * 6 + ["validation"] * 3
    for path in tracks:
        assert soundfile.info(root / "audio-low" / path.replace(".mp3", ".low.mp3")).samplerate == 44100
    assert (root / "data/tags/top50.txt").read_bytes().count(b"\r") == 0


def test_emomusic_layout_and_hash_split(data):
    root, counts = data("emomusic"), defaultdict(int)
    info = list(csv.DictReader((root / "songs_info.csv").open()))
    for row in info:
        name = " ".join("".join(c for c in row["Artist"].lower() if c.isalpha() or c.isspace()).split())
        trains = int(hashlib.sha1(name.encode()).hexdigest(), 16) % 10 < 8
        test = row["Mediaeval 2013 set"] == "evaluation"
        counts["test" if test else "train" if trains else "valid"] += 1
        assert soundfile.info(root / "clips_45seconds" / row["file_name"]).duration == pytest.approx(15.04, abs=0.03)
    assert counts == {"train": 6, "valid": 3, "test": 3}
    static = list(csv.DictReader((root / "static_annotations.csv").open()))
    assert [row["song_id"] for row in static] == [row["song_id"] for row in info]
    assert all(1 <= float(row[f"mean_{name}"]) <= 9 for row in static for name in ("arousal", "valence"))


def test_arousal_is_heard_as_level_and_valence_as_mode():
    arousal, level, majors = [], [], {0.1: 0, 0.9: 0}
    for seed in range(24):
        rng = generator(seed, "feeling")
        arousal.append(rng.uniform())
        valence = (0.1, 0.9)[seed % 2]
        wave = emomusic.perform(GENRES["classical"], arousal[-1], valence, rng)
        level.append(20 * np.log10(wave.std()))
        majors[valence] += listening.recognise_key(wave, RATE)[1] == "major"
    assert np.corrcoef(arousal, level)[0, 1] > 0.8
    assert majors[0.9] > majors[0.1] + 3


def test_vocalset_layout(data):
    root, recordings = data("vocalset"), defaultdict(list)
    for path in sorted((root / "FULL").glob("*/*/*/*.wav")):
        singer, context, technique, _ = path.relative_to(root / "FULL").parts
        assert context in ("arpeggios", "scales", "long_tones", "excerpts")
        recordings[singer].append(technique)
        head = soundfile.info(path)
        assert (head.samplerate, head.channels) == (44100, 1)
        assert 3.1 < head.duration < 6.6
    assert len(recordings) == 20
    assert set(recordings) == {*(f"female{i}" for i in range(1, 10)), *(f"male{i}" for i in range(1, 12))}
    test = {name: recordings[name] for name in ("female2", "female8", "male3", "male5", "male10")}
    assert sum(map(len, test.values())) == 10 + 3  # and the three odd ones
    assert sum(map(len, recordings.values())) == 43
    assert {t for found in test.values() for t in found} >= {*vocalset.TECHNIQUES}
    assert (root / "FULL/female2/scales/straight/f2_scales_straight_u(1).wav").exists()
    assert (root / "FULL/female2/scales/fast_forte").is_dir()
    assert (root / "__MACOSX/FULL/female2/scales/straight/._f2_scales_straight_u.wav").stat().st_size < 10


def long_tones(technique):
    for seed in range(4):
        singer = vocalset.draw_singer(vocalset.SINGERS[4 * seed], 0)
        yield singer, vocalset.sing(singer, "long_tones", technique, "a", generator(seed, technique))


def modulation(wave, low_hz, high_hz):
    """Return the share of the envelope's fluctuation (1 to 60 Hz) that lies between two rates."""
    envelope = np.abs(wave[: len(wave) // 100 * 100]).reshape(-1, 100).mean(1)[50:-50]
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    hz = np.fft.rfftfreq(len(envelope), 100 / RATE)
    return power[(hz > low_hz) & (hz < high_hz)].sum() / power[(hz > 1) & (hz < 60)].sum()


def flatness(wave):
    power = np.abs(np.fft.rfft(wave[RATE : 2 * RATE])) ** 2 + 1e-9
    return np.exp(np.log(power).mean()) / power.mean()


def test_techniques_are_what_they_are_physically():
    straight = [wave for _, wave in long_tones("straight")]
    breathy = np.mean([flatness(wave) for _, wave in long_tones("breathy")])
    inhaled = np.mean([flatness(wave) for _, wave in long_tones("inhaled")])
    assert np.mean([flatness(wave) for wave in straight]) < breathy < inhaled
    for (singer, pulsing), (_, lips) in zip(long_tones("trillo"), long_tones("lip_trill")):
        rate = singer.vibrato_hz
        assert modulation(pulsing, 1.35 * rate, 1.65 * rate) > 0.4
        assert modulation(lips, 3.9 * rate, 4.5 * rate) > 0.4
    assert np.mean([modulation(wave, 6, 12) for wave in straight]) < 0.3


def test_vibrato_and_trill_widen_the_partials():
    def width(technique):
        widths = []
        for _, wave in long_tones(technique):
            hz, magnitude = listening.spectrum(wave[RATE : 3 * RATE], RATE)
            voiced = (hz > 80) & (hz < 1500)
            peak = hz[voiced][np.argmax(magnitude[voiced])]
            cents = 1200 * np.log2(np.maximum(hz, 1) / peak)
            near = np.abs(cents) < 300
            weights = magnitude[near] ** 2
            centre = (weights * cents[near]).sum() / weights.sum()
            widths.append(np.sqrt((weights * (cents[near] - centre) ** 2).sum() / weights.sum()))
        return np.mean(widths)

    assert width("straight") < 25 < 35 < width("vibrato") < width("trill")
