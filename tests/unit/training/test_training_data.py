"""Clips and labels: exact alignment, standardization over the whole clip, sentences for what does not fit."""

import json

import numpy as np
import pytest
import training_kit as kit

from musicssl.geometry import standardize, to_float32
from musicssl.runtime import UserError
from musicssl.training.data import Clips

CROP = 8000
LENGTHS = [[16000, 24000, 6000, 20000], [16400, 17000, 18000, 19000]]


def open_clips(folder, **changes):
    audio, labels = (sorted((folder / kind).glob("*.npy")) for kind in ("audio", "labels"))
    return Clips(**({"audio": audio, "labels": [labels], "crop": CROP} | changes))


def edit_index(path, **changes):
    index = json.loads(path.read_text())
    index["attrs"] |= {key: value for key, value in changes.items() if key in index["attrs"]}
    path.write_text(json.dumps(index | {key: value for key, value in changes.items() if key in index}))


def test_short_clips_are_left_out_and_splits_kept(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    clips = open_clips(tmp_path)
    assert clips.train.tolist() == [0, 1, 4, 5, 6]
    assert clips.valid.tolist() == [3, 7]
    assert clips.num_clusters == [kit.NUM_CLUSTERS]


def test_crop_is_the_samples_over_32768(tmp_path):
    *_, waves = kit.write_corpus(tmp_path, LENGTHS)
    out = np.empty(CROP, np.float32)
    open_clips(tmp_path).crop(5, 640, out, normalize=False)
    np.testing.assert_array_equal(out, waves[5][640 : 640 + CROP].astype(np.float32) / 32768)


def test_standardized_crop_uses_the_whole_clip(tmp_path):
    *_, waves = kit.write_corpus(tmp_path, LENGTHS)
    out = np.empty(len(waves[5]), np.float32)
    clips = open_clips(tmp_path)
    clips.crop(5, 0, out, normalize=True)
    scaled = waves[5].astype(np.float64) / 32768
    expected = (scaled - scaled.mean()) / np.sqrt(scaled.var() + 1e-5)  # torch.nn.functional.layer_norm
    np.testing.assert_allclose(out, expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(out, standardize(to_float32(waves[5])))  # as clustering and probing see it
    part = np.empty(CROP, np.float32)
    clips.crop(5, 640, part, normalize=True)
    np.testing.assert_array_equal(part, out[640 : 640 + CROP])


@pytest.mark.parametrize("rate", [50, 100])
def test_labels_of_a_crop_are_those_of_the_same_samples(tmp_path, rate):
    kit.write_corpus(tmp_path, LENGTHS, rate=rate)
    clips = open_clips(tmp_path)
    first, frames = 11, 24
    label_hop = 16000 // rate
    expected = [(7 * 5 + (first + t) * 320 // label_hop) % kit.NUM_CLUSTERS for t in range(frames)]
    assert clips.labels(5, first, frames).tolist() == expected


@pytest.mark.parametrize("rate", [50, 100])
def test_the_last_crop_of_a_clip_has_all_its_labels(tmp_path, rate):
    lengths = [CROP + extra for extra in (0, 1, 159, 160, 161, 319, 320, 321)]
    kit.write_corpus(tmp_path, [lengths], rate=rate)
    clips = open_clips(tmp_path)
    for clip, length in enumerate(lengths):
        last = (length - CROP) // 320
        assert len(clips.labels(clip, last, (CROP - 400) // 320 + 1)) == 24


def test_labels_shorter_than_audio(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    other = tmp_path / "short"
    kit.write_corpus(other, [[length - 640 * (i == 1) for i, length in enumerate(row)] for row in LENGTHS])
    with pytest.raises(UserError, match=r"000.npy: file1.wav#0 has 144 labels, its 24000 samples need 147 at 100 Hz"):
        open_clips(tmp_path, labels=[[other / "labels" / "000.npy", other / "labels" / "001.npy"]])


def test_labels_of_other_clips(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    edit_index(tmp_path / "labels" / "001.json", ids=["a", "file5.wav#0", "file6.wav#0", "file7.wav#0"])
    with pytest.raises(UserError, match=r"001.npy: found 4 clips.*'a' where 'file4.wav#0' is expected"):
        open_clips(tmp_path)


def test_labels_at_another_rate(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    for shard in ("000", "001"):
        edit_index(tmp_path / "labels" / f"{shard}.json", frame_rate_hz=75)
    with pytest.raises(UserError, match="found 75 labels a second, expected a multiple of the model's 50"):
        open_clips(tmp_path)


def test_shards_of_another_recipe_or_missing(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    with pytest.raises(UserError, match=r"labels0000, expected ffff"):
        open_clips(tmp_path, labels_digests=["ffff"])
    with pytest.raises(UserError, match=r"corpus0000, expected ffff"):
        open_clips(tmp_path, audio_digest="ffff")
    (tmp_path / "labels" / "001.json").unlink()
    with pytest.raises(UserError, match=r"labels/001.json: missing"):
        open_clips(tmp_path)


def test_no_shards_or_no_clip_long_enough(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    with pytest.raises(UserError, match="audio: found no shards"):
        open_clips(tmp_path, audio=[])
    with pytest.raises(UserError, match=r"001.npy: found no label shard of this name"):
        open_clips(tmp_path, labels=[[tmp_path / "labels" / "000.npy"]])
    with pytest.raises(UserError, match=r"no training clip of crop_s = 30 s \(the longest clip of 8 has 1.5 s\)"):
        open_clips(tmp_path, crop=480000)


def test_labels_of_another_number_of_clusters(tmp_path):
    kit.write_corpus(tmp_path, LENGTHS)
    edit_index(tmp_path / "labels" / "001.json", num_clusters=500)
    with pytest.raises(UserError, match=r"001.json|001.npy: num_clusters is 500, expected 7; delete the shard"):
        open_clips(tmp_path)
    for shard in ("000", "001"):
        edit_index(tmp_path / "labels" / f"{shard}.json", num_clusters=5)
    with pytest.raises(UserError, match=r"000.npy: found label 6, expected numbers below num_clusters = 5; delete"):
        open_clips(tmp_path).labels(0, 0, 40)
