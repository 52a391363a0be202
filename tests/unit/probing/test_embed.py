"""Embedding with a small encoder whose answers are known."""

import csv

import numpy as np
import pytest
import soundfile
import torch
from probing_kit import protocol

from musicssl.artefacts import RaggedShard
from musicssl.config.recipes import ConstantFloor, MfccFloor, Task, Windows
from musicssl.models import frozen
from musicssl.probing import embed as embedding
from musicssl.probing.embed import embed, normalise, window_bounds
from musicssl.runtime import UserError

CPU = torch.device("cpu")
RATE = 16000


class Levels(torch.nn.Module):
    """Two states a frame: the mean sample, and the index of the frame."""

    num_states, width, pooled_width, frame_rate_hz, normalize = 2, 3, 3, 50.0, False

    def __init__(self):
        super().__init__()
        self.shapes = []

    def states(self, wave):
        self.shapes.append(tuple(wave.shape))
        frames = wave.unfold(1, 400, 320).mean(dim=2)
        count = torch.arange(frames.shape[1]).expand_as(frames)
        return torch.stack([frames, count], dim=2)[..., None].expand(-1, -1, -1, 3)

    @staticmethod
    def pool(states):
        return states.mean(1)


def task_of(root, kind="multiclass", length_s=0.0, min_s=1.0, average="embeddings"):
    windows = Windows(length_s=length_s, min_s=min_s, average=average)
    values = {"dataset": "d", "target": "t", "kind": kind, "metrics": ["accuracy"], "windows": windows}
    return Task(**values, probe=protocol(), options={}, code_version=1, root=str(root))


@pytest.fixture
def dataset(tmp_path):
    """Three files: 5.4 s in steps of 0.1 a second, 2 s stereo at 32 kHz, 3 s of noise; six items of them."""
    steps = np.repeat(np.arange(6) * 0.1, RATE)[: int(5.4 * RATE)]
    soundfile.write(tmp_path / "steps.wav", steps, RATE, subtype="FLOAT")
    stereo = np.stack([np.full(64000, 0.2), np.full(64000, 0.6)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 2 * RATE, subtype="FLOAT")
    soundfile.write(
        tmp_path / "noise.wav", 0.1 * np.random.default_rng(0).standard_normal(3 * RATE), RATE, subtype="FLOAT"
    )
    rows = [
        ("all", "train", "steps.wav", 0, 0),
        ("late", "train", "steps.wav", 2, 2),
        ("stereo", "valid", "stereo.wav", 0, 0),
        ("noise", "test", "noise.wav", 0, 0),
        ("first", "test", "noise.wav", 0, 1),
        ("second", "test", "noise.wav", 1, 1),
    ]
    write_items(tmp_path, rows)
    return tmp_path


def write_items(folder, rows):
    with open(folder / "items.csv", "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "split", "path", "start_s", "duration_s", "group", "target"])
        table.writerows((*row, row[2], 0) for row in rows)


def run(folder, encoder=None, task=None, name="embeddings"):
    task, out = task or task_of(folder), folder / f"{name}.npy"
    embed(folder / "items.csv", folder, task, encoder or Levels(), out, "digest", CPU, 2)
    return RaggedShard(out, "digest")


def test_items_are_cut_from_their_file_and_pooled(dataset):
    shard = run(dataset)
    assert shard.ids == ["all", "late", "stereo", "noise", "first", "second"]
    assert shard.data.dtype == np.float16
    assert shard.lengths().tolist() == [1] * 6
    assert shard.attrs == {"frame_rate_hz": 50.0, "frame_offset_s": 0.0125, "skipped": []}
    assert shard[1][0, 0, 0] == pytest.approx(0.25, abs=2e-3)
    assert shard[2][0, 0, 0] == pytest.approx(0.4, abs=2e-3)
    assert shard[3][0, 1, 0] == pytest.approx(148 / 2)


def test_windows_follow_each_other_and_a_short_last_one_is_dropped(dataset):
    task = task_of(dataset, length_s=1.0, average="predictions", min_s=0.5)
    shard = run(dataset, task=task)
    np.testing.assert_allclose(shard[0][:, 0, 0], [0.0, 0.1, 0.2, 0.3, 0.4], atol=2e-3)
    shard = run(dataset, task=task_of(dataset, length_s=1.0, average="predictions", min_s=0.3))
    assert shard.lengths().tolist() == [6, 2, 2, 3, 1, 1]
    shard = run(dataset, task=task_of(dataset, length_s=1.0, min_s=0.3))
    assert shard.lengths().tolist() == [1] * 6
    assert shard[0][0, 0, 0] == pytest.approx(np.mean([0, 0.1, 0.2, 0.3, 0.4, 0.5]), abs=2e-3)


def test_window_bounds_tile_the_recording():
    windows = Windows(length_s=5.0, min_s=1.0, average="predictions")
    bounds = window_bounds(int(45.04 * RATE), windows)
    assert len(bounds) == 9
    assert [start for start, _ in bounds] == [stop for _, stop in [(0, 0), *bounds[:-1]]]
    assert window_bounds(8000, windows) == [(0, 8000)]
    assert window_bounds(int(6.5 * RATE), windows)[-1] == (5 * RATE, int(6.5 * RATE))


def test_beats_keep_every_frame(dataset):
    shard = run(dataset, task=task_of(dataset, kind="beats"))
    assert shard.lengths().tolist() == [269, 99, 99, 149, 49, 49]
    assert shard[3][:, 1, 0].tolist() == list(range(149))
    with pytest.raises(UserError, match=r"length_s: found 5.0, expected 0"):
        run(dataset, task=task_of(dataset, kind="beats", length_s=5.0))


def test_only_windows_of_equal_length_share_a_batch_and_the_batch_does_not_matter(dataset, monkeypatch):
    encoder = Levels()
    together = run(dataset, encoder)
    assert sorted(encoder.shapes) == [(1, 48000), (1, 86400), (2, 16000), (2, 32000)]
    monkeypatch.setattr(embedding, "BATCH_S", 0.0)
    monkeypatch.setattr(embedding, "PENDING_S", 0.0)
    alone = run(dataset, Levels(), name="alone")
    assert alone.ids == together.ids
    np.testing.assert_allclose(alone.data, together.data, atol=1e-5)


def test_each_file_is_decoded_once_and_normalised_whole(dataset, monkeypatch):
    loaded = []
    real = embedding.load
    monkeypatch.setattr(embedding, "load", lambda path: loaded.append(path.name) or real(path))
    encoder = Levels()
    encoder.normalize = True
    shard = run(dataset, encoder)
    assert sorted(loaded) == ["noise.wav", "steps.wav", "stereo.wav"]
    steps = normalise(real(dataset / "steps.wav"))
    assert (steps.mean(), steps.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    assert shard[1][0, 0, 0] == pytest.approx(steps[2 * RATE : 4 * RATE].mean(), abs=1e-2)
    assert shard[2][0, 0, 0] == pytest.approx(0, abs=1e-2)


def test_unusable_audio_is_skipped_and_an_empty_split_refused(dataset):
    (dataset / "broken.wav").write_bytes(b"not audio")
    rows = [
        ("good", "train", "steps.wav", 0, 0),
        ("broken", "train", "broken.wav", 0, 0),
        ("gone", "test", "gone.wav", 0, 0),
        ("beyond", "test", "steps.wav", 9, 1),
        ("valid", "valid", "noise.wav", 0, 0),
        ("test", "test", "noise.wav", 0, 0),
    ]
    write_items(dataset, rows)
    shard = run(dataset)
    assert shard.ids == ["good", "valid", "test"]
    assert sorted(shard.attrs["skipped"]) == [["beyond", "too short"], ["broken", "damaged"], ["gone", "damaged"]]
    write_items(dataset, rows[:5])
    with pytest.raises(UserError, match=r"items.csv: found no usable item in test"):
        run(dataset, name="none")
    assert not (dataset / "none.npy").exists()


def test_values_beyond_float16_are_refused(dataset):
    class Loud(Levels):
        def states(self, wave):
            return super().states(wave) * 1e6

    with pytest.raises(UserError, match=r"all: found embeddings up to .*65504"):
        run(dataset, Loud())


def test_floors_embed_like_encoders(dataset):
    mfcc = run(dataset, frozen(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23), None))
    assert mfcc.data.shape == (6, 1, 78)
    assert run(dataset, frozen(ConstantFloor(kind="constant-floor"), None), name="c").data.tolist() == [[[0.0]]] * 6
