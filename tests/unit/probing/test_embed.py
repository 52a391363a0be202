"""Embedding with a small encoder whose answers are known."""

import csv
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from musicssl.artefacts import RaggedShard
from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import ConstantFloor, Items, MfccFloor, Windows, build_kind
from musicssl.geometry import standardize
from musicssl.models import frozen
from musicssl.models.encoders import build_encoder
from musicssl.models.view import FrozenTransformer
from musicssl.probing import embed as embedding
from musicssl.probing.embed import embed, window_bounds
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


def task_of(kind="multiclass", length_s=0.0, min_s=1.0, average="embeddings"):
    windows = Windows(length_s=length_s, min_s=min_s, average=average)
    return Items(dataset="d", target="t", kind=kind, windows=windows, options={}, code_version=1)


ROWS = [
    ("all", "train", "steps.wav", 0, 0),
    ("late", "train", "steps.wav", 2, 2),
    ("stereo", "valid", "stereo.wav", 0, 0),
    ("noise", "test", "noise.wav", 0, 0),
    ("first", "test", "noise.wav", 0, 1),
    ("second", "test", "noise.wav", 1, 1),
]


@pytest.fixture
def dataset(tmp_path):
    """Three files: 5.4 s in steps of 0.1 a second, 2 s stereo at 32 kHz, 3 s of noise; six items of them."""
    steps = np.repeat(np.arange(6) * 0.1, RATE)[: int(5.4 * RATE)]
    soundfile.write(tmp_path / "steps.wav", steps, RATE, subtype="FLOAT")
    stereo = np.stack([np.full(64000, 0.2), np.full(64000, 0.6)], axis=1)
    stereo[-1] = 0  # else it is direct current, which is set aside
    soundfile.write(tmp_path / "stereo.wav", stereo, 2 * RATE, subtype="FLOAT")
    soundfile.write(
        tmp_path / "noise.wav", 0.1 * np.random.default_rng(0).standard_normal(3 * RATE), RATE, subtype="FLOAT"
    )
    write_items(tmp_path, ROWS)
    return tmp_path


def write_items(folder, rows, name="items"):
    with open(folder / f"{name}.csv", "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["id", "split", "path", "start_s", "duration_s", "group", "target"])
        table.writerows((*row, row[2], 0) for row in rows)


def run_all(folder, tasks, encoder=None, name="out"):
    """Embed tasks, whose tables have their names, and return both stores."""
    out = folder / name / "pooled.npy", folder / name / "frames.npy"
    tables = {task: folder / f"{task}.csv" for task in tasks}
    embed(tables, tasks, folder, encoder or Levels(), out, "digest", CPU, 2)
    return [RaggedShard(path, "digest") for path in out]


def run(folder, encoder=None, task=None, name="out"):
    task = task or task_of()
    pooled, frames = run_all(folder, {"items": task}, encoder, name)
    used, empty = (frames, pooled) if task.kind == "beats" else (pooled, frames)
    assert len(empty) == 0
    return used


def test_items_are_cut_from_their_file_and_pooled(dataset):
    shard = run(dataset)
    assert [name.split("|")[0] for name in shard.ids] == [
        "steps.wav@0.0+0.0", "steps.wav@2.0+2.0", "stereo.wav@0.0+0.0", "noise.wav@0.0+0.0", "noise.wav@0.0+1.0",
        "noise.wav@1.0+1.0",
    ]  # fmt: skip
    assert shard.data.dtype == np.float16
    assert shard.lengths().tolist() == [1] * 6
    assert shard.attrs == {"frame_rate_hz": 50.0, "frame_offset_s": 0.0125, "skipped": []}
    assert shard[1][0, 0, 0] == pytest.approx(0.25, abs=2e-3)
    assert shard[2][0, 0, 0] == pytest.approx(0.4, abs=2e-3)
    assert shard[3][0, 1, 0] == pytest.approx(148 / 2)


def test_windows_follow_each_other_and_a_short_last_one_is_dropped(dataset):
    task = task_of(length_s=1.0, average="predictions", min_s=0.5)
    shard = run(dataset, task=task)
    np.testing.assert_allclose(shard[0][:, 0, 0], [0.0, 0.1, 0.2, 0.3, 0.4], atol=2e-3)
    shard = run(dataset, task=task_of(length_s=1.0, average="predictions", min_s=0.3))
    assert shard.lengths().tolist() == [6, 2, 2, 3, 1, 1]
    shard = run(dataset, task=task_of(length_s=1.0, min_s=0.3))
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
    shard = run(dataset, task=task_of(kind="beats"))
    assert shard.lengths().tolist() == [269, 99, 99, 149, 49, 49]
    assert shard[3][:, 1, 0].tolist() == list(range(149))
    with pytest.raises(UserError, match=r"items.windows.length_s: found 5.0, expected 0"):
        run(dataset, task=task_of(kind="beats", length_s=5.0))


def test_tasks_of_one_dataset_share_decoding_and_encoding(dataset, monkeypatch):
    """Genre and beats of whole files, and a third task of which two cuts are the first's."""
    loaded, real = [], embedding.load
    monkeypatch.setattr(embedding, "load", lambda path: loaded.append(path.name) or real(path))
    whole = [row for row in ROWS if row[3:] == (0, 0)]
    write_items(dataset, whole, "genre")
    write_items(dataset, whole, "rhythm")
    write_items(dataset, ROWS, "singer")
    tasks = {"genre": task_of(), "rhythm": task_of("beats"), "singer": task_of()}
    encoder = Levels()
    pooled, frames = run_all(dataset, tasks, encoder)
    assert sorted(loaded) == ["noise.wav", "steps.wav", "stereo.wav"]
    assert sum(shape[0] * shape[1] for shape in encoder.shapes) == (5.4 + 2 + 2 + 3 + 1 + 1) * RATE
    assert len(pooled) == 6
    assert len(frames) == 3
    for task, store in (("genre", pooled), ("rhythm", frames), ("singer", pooled)):
        alone = run_all(dataset, {task: tasks[task]}, name=task)[task == "rhythm"]
        for i, name in enumerate(alone.ids):
            np.testing.assert_array_equal(alone[i], store[store.ids.index(name)])


def test_only_windows_of_equal_length_share_a_batch(dataset):
    encoder = Levels()
    run(dataset, encoder)
    assert sorted(encoder.shapes) == [(1, 48000), (1, 86400), (2, 16000), (2, 32000)]


@pytest.mark.parametrize("paradigm", ["hubert", "data2vec"])
def test_states_do_not_depend_on_order_or_size_of_batches(dataset, miniature, paradigm, monkeypatch):
    torch.manual_seed(0)
    recipe = build_kind(Catalogue(miniature).entry("models", f"random-{paradigm}"))
    encoder = FrozenTransformer(build_encoder(recipe), normalize=True)
    pools, real = [], FrozenTransformer.pool
    monkeypatch.setattr(FrozenTransformer, "pool", lambda self, states: pools.append(real(states)) or pools[-1])
    together = run(dataset, encoder)
    write_items(dataset, ROWS[::-1])
    monkeypatch.setattr(embedding, "BATCH_S", 0.0)
    monkeypatch.setattr(embedding, "PENDING_S", 0.0)
    apart = run(dataset, encoder, name="apart")
    assert sorted(apart.ids) == sorted(together.ids)
    assert {len(values) for values in pools[:4]} == {1, 2}
    assert {len(values) for values in pools[4:]} == {1}
    rows = [torch.cat([one.flatten(1) for one in part]).sort(dim=0).values for part in (pools[:4], pools[4:])]
    torch.testing.assert_close(*rows, rtol=0, atol=1e-5)
    for i, name in enumerate(apart.ids):
        np.testing.assert_allclose(apart[i], together[together.ids.index(name)], atol=2e-3)


def test_each_file_is_standardized_whole(dataset):
    encoder = Levels()
    encoder.normalize = True
    shard = run(dataset, encoder)
    steps = standardize(embedding.load(dataset / "steps.wav"))
    assert (steps.mean(), steps.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-3))
    assert shard[1][0, 0, 0] == pytest.approx(steps[2 * RATE : 4 * RATE].mean(), abs=1e-2)
    assert shard[2][0, 0, 0] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("stop_after", [0, 1, 2, 4])
def test_a_killed_job_goes_on_at_its_last_block_to_the_same_bytes(dataset, monkeypatch, stop_after):
    monkeypatch.setattr(embedding, "BLOCK_FILES", 1)
    tasks = {"items": task_of(), "rhythm": task_of("beats")}
    write_items(dataset, [row for row in ROWS if row[3:] == (0, 0)], "rhythm")
    whole = run_all(dataset, tasks, name="whole")

    class Mortal(Levels):
        def states(self, wave):
            if len(self.shapes) >= stop_after:
                raise KeyboardInterrupt
            return super().states(wave)

    with pytest.raises(KeyboardInterrupt):
        run_all(dataset, tasks, Mortal(), name="killed")
    assert not list((dataset / "killed").glob("[!.]*"))
    encoder = Levels()
    again = run_all(dataset, tasks, encoder, name="killed")
    assert len(encoder.shapes) == 5 - {0: 0, 1: 0, 2: 2, 4: 3}[stop_after]  # the files make 2, 1 and 2 batches
    for one, other in zip(whole, again):
        assert one.path.read_bytes() == other.path.read_bytes()
        assert one.path.with_suffix(".json").read_bytes() == other.path.with_suffix(".json").read_bytes()
        other.verify()
    assert not list((dataset / "killed").glob(".*"))


def test_what_was_begun_for_other_items_is_begun_anew(dataset, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK_FILES", 1)
    encoder = Levels()
    monkeypatch.setattr(encoder, "pool", lambda states: states.mean(1) if len(encoder.shapes) < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(dataset, encoder)
    write_items(dataset, ROWS[1:])
    encoder = Levels()
    shard = run(dataset, encoder)
    assert len(shard) == 5
    assert sum(shape[0] for shape in encoder.shapes) == 5


def test_unusable_audio_is_skipped_and_an_empty_split_refused(dataset):
    (dataset / "broken.wav").write_bytes(b"not audio")
    (dataset / "zero.wav").write_bytes(b"")
    (dataset / "cut.wav").write_bytes((dataset / "steps.wav").read_bytes()[:100_000])
    rows = [
        ("good", "train", "steps.wav", 0, 0),
        ("broken", "train", "broken.wav", 0, 0),
        ("zero", "train", "zero.wav", 0, 0),
        ("cut", "train", "cut.wav", 0, 0),
        ("gone", "test", "gone.wav", 0, 0),
        ("beyond", "test", "steps.wav", 9, 1),
        ("valid", "valid", "noise.wav", 0, 0),
        ("test", "test", "noise.wav", 0, 2),
    ]
    write_items(dataset, rows)
    shard = run(dataset)
    assert [name.split("@")[0] for name in shard.ids] == ["steps.wav", "noise.wav", "noise.wav"]
    skipped = {name.split("|")[0]: reason for name, reason in shard.attrs["skipped"]}
    assert skipped == {
        "cut.wav@0.0+0.0": "truncated",
        "steps.wav@9.0+1.0": "too short", "broken.wav@0.0+0.0": "not-audio", "zero.wav@0.0+0.0": "empty",
        "gone.wav@0.0+0.0": "unreadable",
    }  # fmt: skip
    write_items(dataset, rows[:-1])
    with pytest.raises(UserError, match=r"items.csv: found no usable item in test"):
        run(dataset, name="none")
    assert not (dataset / "none" / "pooled.npy").exists()


def test_values_beyond_float16_are_refused(dataset):
    class Loud(Levels):
        def states(self, wave):
            return super().states(wave) * 1e6

    with pytest.raises(UserError, match=r"steps.wav@0.0.*: found embeddings up to .*65504"):
        run(dataset, Loud())


def test_floors_embed_like_encoders(dataset):
    mfcc = run(dataset, frozen(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23), None))
    assert mfcc.data.shape == (6, 1, 78)
    assert run(dataset, frozen(ConstantFloor(kind="constant-floor"), None), name="c").data.tolist() == [[[0.0]]] * 6
    assert all(a <= b for a, b in pairwise(mfcc.offsets))
