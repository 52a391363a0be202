"""Clips are the file: decoded once, mixed, resampled, rounded, cut, nothing lost but the last remainder."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import crop_audio
import index_corpus
import scan_corpus
from musicssl.artefacts import read_json
from musicssl.artefacts.listing import AudioFile, read_rejected
from musicssl.artefacts.ragged import RaggedShard, ShardError
from musicssl.corpus import crop
from musicssl.corpus.crop import crop_shard
from musicssl.runtime import UserError
from musicssl.signal import decode
from musicssl.signal.decode import mono_blocks, resampled


def entry(name, rate=16000, split="train"):
    return AudioFile(name, 0.0, rate, 1, 0, split, "0" * 64)


def cropped(recipe, *files):
    out = f"{recipe.root}/../000.npy"
    crop_shard(files, recipe, "d", out)
    return RaggedShard(out, "d")


@pytest.mark.parametrize(
    ("seconds", "lengths"),
    [(5.0, [2, 2, 1]), (4.0, [2, 2]), (4.49, [2, 2]), (4.5, [2, 2, 0.5]), (0.5, [0.5]), (2.0001, [2])],
)
def test_joined_clips_are_the_file_without_its_dropped_remainder(corpus, sound, music, seconds, lengths):
    sound("a.wav", seconds=seconds)
    shard = cropped(corpus(), entry("a.wav"))
    pcm = soundfile.read(music / "a.wav", dtype="int16")[0]
    assert shard.lengths().tolist() == [round(16000 * s) for s in lengths]
    assert np.array_equal(shard.data, pcm[: sum(shard.lengths())])
    assert shard.ids == [f"a.wav#{k}" for k in range(len(lengths))]
    assert len(pcm) - sum(shard.lengths()) < 0.5 * 16000


def test_blocks_do_not_show(corpus, sound, monkeypatch):
    sound("a.mp3", seconds=5, rate=44100, channels=2)
    whole = cropped(corpus(), entry("a.mp3", 44100)).data.copy()
    monkeypatch.setattr(decode, "BLOCK_FRAMES", 1000)
    monkeypatch.setattr(crop, "SPOOL_BYTES", 1000)
    pieces = cropped(corpus(), entry("a.mp3", 44100)).data
    assert len(pieces) == len(whole) == 5 * 16000
    assert np.abs(pieces.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
def test_a_tone_keeps_frequency_level_and_length_at_any_rate(music, rate):
    time = np.arange(3 * rate) / rate
    soundfile.write(music / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * time), rate, subtype="FLOAT")
    wave = np.concatenate(list(resampled(mono_blocks(music / "tone.wav"), rate, 16000)))
    assert len(wave) == 48000
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(48000) / 16000)
    middle = slice(2000, -2000)  # the filter rings where the tone starts and stops
    assert np.abs(wave[middle] - expected[middle]).max() < 1e-4


def test_what_16_khz_cannot_hold_is_filtered_out(music):
    time = np.arange(2 * 44100) / 44100
    soundfile.write(music / "high.wav", 0.5 * np.sin(2 * np.pi * 9500 * time), 44100, subtype="FLOAT")
    wave = np.concatenate(list(resampled(mono_blocks(music / "high.wav"), 44100, 16000)))
    assert np.abs(wave[2000:-2000]).max() < 1e-4


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_channels_are_averaged_in_any_sample_format(sound, music, channels, subtype):
    written = sound("a.wav", channels=channels, subtype=subtype)
    wave = np.concatenate(list(mono_blocks(music / "a.wav")))
    assert wave.dtype == np.float32
    assert np.abs(wave - written.mean(1)).max() < (1 / 128 if subtype == "PCM_U8" else 1 / 32768) * 1.001


@pytest.mark.parametrize(("name", "close"), [("a.flac", 4e-5), ("a.aiff", 4e-5), ("a.ogg", 0.05), ("a.mp3", 0.05)])
def test_formats_decode_in_place(music, name, close):
    time = np.arange(3 * 44100) / 44100
    tone = 0.3 * np.sin(2 * np.pi * 300 * time) * np.hanning(len(time))
    soundfile.write(music / name, tone, 44100)
    wave = np.concatenate(list(mono_blocks(music / name)))
    assert len(wave) == len(tone)
    assert np.abs(wave - tone).max() < close


def test_bad_files_are_set_aside_whole_and_good_ones_stay(corpus, sound, music):
    sound("good.wav", seconds=3)
    sound("short.wav", seconds=0.3)
    sound("silent.wav", seconds=3, scale=1e-5, subtype="FLOAT")
    for name in ("cut.flac", "cut.mp3", "cut.wav", "torn.flac"):
        sound(name, seconds=30, rate=44100)
        data = bytearray((music / name).read_bytes())
        if name.startswith("cut"):
            del data[len(data) * 6 // 10 :]
        else:
            data[len(data) // 2 : len(data) // 2 + 5000] = bytes(range(250)) * 20
        (music / name).write_bytes(data)
    samples = np.zeros(16000, np.float32)
    samples[12345] = np.nan
    soundfile.write(music / "nan.wav", samples, 16000, subtype="FLOAT")
    names = ["cut.flac", "cut.mp3", "gone.wav", "good.wav", "nan.wav", "short.wav", "silent.wav", "torn.flac"]
    rates = [44100 if name[:3] in ("cut", "tor") else 16000 for name in names]
    shard = cropped(corpus(), *map(entry, names, rates))
    assert shard.ids == ["good.wav#0", "good.wav#1"]
    assert shard.attrs["splits"] == ["train", "train"]
    assert {file: reason for file, reason, _ in shard.attrs["quarantine"]} == {
        "cut.flac": "damaged",
        "cut.mp3": "truncated",
        "gone.wav": "unreadable",
        "nan.wav": "not-finite",
        "short.wav": "short",
        "silent.wav": "silent",
        "torn.flac": "damaged",
    }


def test_mp3_without_a_length_header_is_used_whole(corpus, sound, music):
    sound("a.mp3", seconds=20, rate=44100, bitrate_mode="CONSTANT", compression_level=0.9)
    data = (music / "a.mp3").read_bytes()
    start = data.index(b"\xff\xfb", max(data.find(b"Info"), data.find(b"Xing")))
    cover = b"ID3\x03\0\0" + bytes([0, 24, 0, 0]) + bytes(24 << 14)
    (music / "a.mp3").write_bytes(cover + data[start:])
    shard = cropped(corpus(), entry("a.mp3", 44100))
    assert sum(shard.lengths()) >= 20 * 16000
    assert shard.attrs["quarantine"] == []


def test_silence_is_measured_against_full_scale(corpus, music):
    for name, peak in (("below.wav", 10), ("above.wav", 11), ("negative.wav", -11)):  # -70 dB is 10.36
        soundfile.write(music / name, np.resize(np.int16([peak, 0, 0, 0]), 16000), 16000)
    shard = cropped(corpus(), entry("above.wav"), entry("below.wav"), entry("negative.wav"))
    assert shard.ids == ["above.wav#0", "negative.wav#0"]


def test_memory_does_not_grow_with_the_file(corpus, music, monkeypatch):
    block = (0.1 * np.random.default_rng(0).standard_normal(1 << 20) * 32768).astype(np.int16)
    with soundfile.SoundFile(music / "long.wav", "w", 16000, 1) as stream:
        for _ in range(30):
            stream.write(block)
    monkeypatch.setattr(crop, "SPOOL_BYTES", 1 << 20)
    tracemalloc.start()
    shard = cropped(corpus(), entry("long.wav"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(shard.data) > 30 * len(block) - 8000
    assert peak < 0.1 * shard.data.nbytes


@pytest.fixture
def jobs(corpus, tmp_path):
    """Return a function that runs scan, crop and index as Snakemake does, and gives the manifest."""

    def run(**changes):
        recipe = {"entry": vars(corpus(**changes)), "digest": "abc"}
        params = SimpleNamespace(recipe=recipe, place={})
        files, rejected = tmp_path / "files.csv", tmp_path / "scan-quarantine.csv"
        out = SimpleNamespace(files=files, quarantine=rejected)
        scan_corpus.main(SimpleNamespace(params=params, output=out, threads=2))
        shards = [tmp_path / f"shards/{i:03d}.npy" for i in range(recipe["entry"]["num_shards"])]
        for shard in shards:
            wildcards, output = SimpleNamespace(shard=shard.stem), SimpleNamespace(audio=shard)
            inputs = SimpleNamespace(files=files)
            crop_audio.main(SimpleNamespace(params=params, input=inputs, output=output, wildcards=wildcards))
        inputs = SimpleNamespace(files=files, quarantine=rejected, shards=shards)
        output = SimpleNamespace(manifest=tmp_path / "manifest.json", quarantine=tmp_path / "quarantine.csv")
        index_corpus.main(SimpleNamespace(params=params, input=inputs, output=output))
        return read_json(output.manifest)

    return run


def test_manifest_sums_up_files_clips_and_hours(jobs, sound, music, tmp_path):
    for i in range(9):
        sound(f"{i}.wav", seconds=2.5)
    sound("silent.wav", seconds=2, scale=1e-5, subtype="FLOAT")
    (music / "zero.ogg").touch()
    manifest = jobs(num_shards=3)
    train, valid = manifest["splits"]["train"], manifest["splits"]["valid"]
    assert manifest["num_files"] == train["num_files"] + valid["num_files"] == 9
    assert manifest["num_clips"] == train["num_clips"] + valid["num_clips"] == 18
    assert manifest["hours"] == round(9 * 2.5 / 3600, 6)
    assert valid["num_clips"] == 2 * valid["num_files"] >= 2
    assert manifest["usable_fraction"] == round(9 / 11, 6)
    assert manifest["quarantined"] == {"empty": 1, "silent": 1}
    assert [s["shard"] for s in manifest["shards"]] == ["000", "001", "002"]
    assert [(row.file, row.reason) for row in read_rejected(tmp_path / "quarantine.csv")] == [
        ("silent.wav", "silent"),
        ("zero.ogg", "empty"),
    ]


def test_the_same_music_gives_the_same_bytes(jobs, sound, tmp_path):
    for i in range(5):
        sound(f"{i}.flac", seconds=1.5, rate=44100, channels=2)
    paths = ["files.csv", "manifest.json", "shards/000.npy", "shards/000.json", "shards/001.npy"]
    jobs()
    first = [(tmp_path / path).read_bytes() for path in paths]
    jobs()
    assert [(tmp_path / path).read_bytes() for path in paths] == first


def test_more_shards_than_files_leaves_empty_shards(jobs, sound):
    sound("a.wav")
    sound("b.wav")
    assert [s["num_clips"] for s in jobs(num_shards=4)["shards"]] == [1, 1, 0, 0]


def test_index_stops_when_decoding_lost_too_much(jobs, sound, tmp_path):
    sound("a.wav")
    sound("silent.wav", scale=1e-5, subtype="FLOAT")
    with pytest.raises(UserError, match=r"1 usable of 2 .*1 silent.*quarantine.csv"):
        jobs(min_usable_fraction=0.9)
    assert len(read_rejected(tmp_path / "quarantine.csv")) == 1
    assert not (tmp_path / "manifest.json").exists()


def test_index_refuses_shards_of_another_recipe(jobs, sound, tmp_path, monkeypatch):
    sound("a.wav")
    monkeypatch.setattr(
        crop_audio, "crop_shard", lambda files, recipe, digest, out: crop_shard(files, recipe, "x", out)
    )
    with pytest.raises(ShardError, match="made by recipe x, expected abc"):
        jobs()


def test_samples_that_cannot_be_meant_are_set_aside(corpus, sound, music):
    one = sound("good.wav", seconds=3)
    soundfile.write(music / "integers.wav", one * 32768, 16000, subtype="FLOAT")
    soundfile.write(music / "cancels.wav", np.concatenate([one, -one], 1), 16000, subtype="FLOAT")
    soundfile.write(music / "constant.wav", 0 * one + 0.1, 16000, subtype="FLOAT")
    shard = cropped(corpus(), *map(entry, ("cancels.wav", "constant.wav", "good.wav", "integers.wav")))
    assert shard.ids == ["good.wav#0", "good.wav#1"]
    assert [row[:2] for row in shard.attrs["quarantine"]] == [
        ["cancels.wav", "cancelled"],
        ["constant.wav", "constant"],
        ["integers.wav", "clipped"],
    ]
