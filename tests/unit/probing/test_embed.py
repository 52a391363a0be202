"""Embedding with a small encoder whose answers are known."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from musicssl.artefacts import states
from musicssl.artefacts.recordings import Recording
from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import ConstantFloor, MfccFloor, View, build_kind
from musicssl.geometry import standardize
from musicssl.models import frozen
from musicssl.models.build import untrained_encoder
from musicssl.models.view import FrozenTransformer
from musicssl.probing import embed as embedding
from musicssl.probing.embed import embed, groups_of_block
from musicssl.runtime import UserError

CPU = torch.device("cpu")
RATE = 16000
WHOLE = View(window_s=0.0, min_s=0.0, rows="recording")
FRAMES = View(window_s=0.0, min_s=0.0, rows="frame")
LENGTHS_S = {"noise.wav": 3.0, "steps.wav": 5.4, "stereo.wav": 2.0}


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


@pytest.fixture
def dataset(tmp_path):
    """Three files: 3 s of noise, 5.4 s in steps of 0.1 a second, 2 s stereo at 32 kHz."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE)
    soundfile.write(tmp_path / "noise.wav", noise, RATE, subtype="FLOAT")
    steps = np.repeat(np.arange(6) * 0.1, RATE)[: int(5.4 * RATE)]
    soundfile.write(tmp_path / "steps.wav", steps, RATE, subtype="FLOAT")
    stereo = np.stack([np.full(64000, 0.2), np.full(64000, 0.6)], axis=1)
    stereo[-1] = 0  # else it is direct current, which is set aside
    soundfile.write(tmp_path / "stereo.wav", stereo, 2 * RATE, subtype="FLOAT")
    return tmp_path


def listed(lengths_s):
    return [Recording(path, seconds, "") for path, seconds in sorted(lengths_s.items())]


def run(folder, encoder=None, view=WHOLE, name="out", lengths_s=None, num_blocks=1, num_decoders=2):
    """Embed every block and return them as one."""
    blocks = [folder / name / f"{k:03d}.npy" for k in range(num_blocks)]
    for k, block in enumerate(blocks):
        place = k, num_blocks
        found = listed(lengths_s or LENGTHS_S)
        embed(found, place, view, folder, encoder or Levels(), block, "digest", CPU, num_decoders)
    return states.read(blocks, "digest")


def rows(store):
    return np.concatenate([np.asarray(block.data) for block in store.blocks])


def test_recordings_are_pooled_whole(dataset):
    store = run(dataset)
    (block,) = store.blocks
    assert block.ids == ["noise.wav", "steps.wav", "stereo.wav"]
    assert block.data.dtype == np.float16
    assert block.lengths().tolist() == [1] * 3
    assert block.attrs == {"block": [0, 1], "frame_rate_hz": 50.0, "frame_offset_s": 0.0125, "skipped": []}
    assert block[1][0, 0, 0] == pytest.approx((0.1 + 0.2 + 0.3 + 0.4 + 0.4 * 0.5) / 5.4, abs=2e-3)
    assert block[2][0, 0, 0] == pytest.approx(0.4, abs=2e-3)
    assert block[0][0, 1, 0] == pytest.approx(148 / 2)


def test_windows_follow_each_other_and_a_short_last_one_is_dropped(dataset):
    (block,) = run(dataset, view=View(window_s=1.0, min_s=0.5, rows="window")).blocks
    np.testing.assert_allclose(block[1][:, 0, 0], [0.0, 0.1, 0.2, 0.3, 0.4], atol=2e-3)
    (block,) = run(dataset, view=View(window_s=1.0, min_s=0.3, rows="window")).blocks
    assert block.lengths().tolist() == [3, 6, 2]
    (block,) = run(dataset, view=View(window_s=1.0, min_s=0.3, rows="recording")).blocks
    assert block.lengths().tolist() == [1] * 3
    assert block[1][0, 0, 0] == pytest.approx(np.mean([0, 0.1, 0.2, 0.3, 0.4, 0.5]), abs=2e-3)
    (block,) = run(dataset, view=View(window_s=2.5, min_s=2.5, rows="window")).blocks
    assert block.lengths().tolist() == [1, 2, 1]  # whole ones, and a short recording as it is


def test_every_frame_is_kept_for_beats(dataset):
    (block,) = run(dataset, view=FRAMES).blocks
    assert block.lengths().tolist() == [149, 269, 99]
    assert block[0][:, 1, 0].tolist() == list(range(149))


def test_a_recording_is_decoded_and_encoded_once(dataset, monkeypatch):
    loaded, real = [], embedding.load
    monkeypatch.setattr(embedding, "load", lambda path: loaded.append(path.name) or real(path))
    encoder = Levels()
    run(dataset, encoder, View(window_s=1.0, min_s=0.3, rows="window"))
    assert sorted(loaded) == sorted(LENGTHS_S)
    assert sum(shape[0] * shape[1] for shape in encoder.shapes) == pytest.approx((5.4 + 2 + 3) * RATE)
    assert max(shape[0] for shape in encoder.shapes) == 10  # windows of all recordings share a batch


@pytest.mark.parametrize("view", [WHOLE, FRAMES, View(window_s=1.0, min_s=0.3, rows="window")], ids=lambda v: v.rows)
def test_the_bytes_depend_neither_on_blocks_nor_on_decoders(dataset, monkeypatch, miniature, view):
    """With a real encoder, whose rounding depends on who shares a batch; the groups make four."""
    monkeypatch.setattr(embedding, "GROUP_S", 6.0)
    lengths_s = dict(LENGTHS_S)
    for k in range(8):
        seconds = 1.0 + k % 3
        wave = 0.1 * np.random.default_rng(k).standard_normal(int(seconds * RATE))
        soundfile.write(dataset / f"more{k}.wav", wave, RATE, subtype="FLOAT")
        lengths_s[f"more{k}.wav"] = seconds
    assert len(groups_of_block(listed(lengths_s), 0, 1)) == 4
    recipe = build_kind(Catalogue(miniature).entry("models", "random-hubert"))
    torch.manual_seed(0)
    encoder = FrozenTransformer(untrained_encoder(recipe), normalize=True)
    wanted = run(dataset, encoder, view, "one", lengths_s, num_blocks=1, num_decoders=1)
    for name, num_blocks, num_decoders in (("four", 4, 1), ("ahead", 1, 2), ("many", 7, 2)):
        found = run(dataset, encoder, view, name, lengths_s, num_blocks, num_decoders)
        assert rows(found).tobytes() == rows(wanted).tobytes()
        assert found.recordings == wanted.recordings
        assert found.offsets.tolist() == wanted.offsets.tolist()


def test_a_group_ends_where_it_is_full_and_blocks_share_them_out(monkeypatch):
    monkeypatch.setattr(embedding, "GROUP_S", 10.0)
    monkeypatch.setattr(embedding, "GROUP_RECORDINGS", 3)
    recordings = [Recording(f"{k:02d}.wav", seconds, "") for k, seconds in enumerate([4, 4, 4, 50, 0, 0, 0, 1])]
    groups = groups_of_block(recordings, 0, 1)
    assert [[one.duration_s for one in group] for group in groups] == [[4, 4, 4], [50], [0, 0, 0], [1]]
    for num_blocks in (1, 2, 3, 4, 9):
        blocks = [groups_of_block(recordings, k, num_blocks) for k in range(num_blocks)]
        assert [group for block in blocks for group in block] == groups


def test_a_killed_job_leaves_no_block_and_no_other_is_done_again(dataset, monkeypatch):
    monkeypatch.setattr(embedding, "GROUP_S", 1.0)

    class Mortal(Levels):
        def states(self, wave):
            if len(self.shapes) == 2:
                raise KeyboardInterrupt
            return super().states(wave)

    whole = run(dataset, name="whole", num_blocks=3)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, Mortal(), name="killed", num_blocks=3)
    assert sorted(path.name for path in (dataset / "killed").iterdir()) == [
        "000.json",
        "000.npy",
        "001.json",
        "001.npy",
    ]
    embed(listed(LENGTHS_S), (2, 3), WHOLE, dataset, Levels(), dataset / "killed" / "002.npy", "digest", CPU, 2)
    for block in whole.blocks:
        for path in (block.path, block.path.with_suffix(".json")):
            assert path.read_bytes() == (dataset / "killed" / path.name).read_bytes()


@pytest.fixture
def twice(dataset):
    """Two of the files a second time; return all lengths."""
    (dataset / "again.wav").write_bytes((dataset / "noise.wav").read_bytes())
    (dataset / "copy.wav").write_bytes((dataset / "stereo.wav").read_bytes())
    return LENGTHS_S | {"again.wav": 3.0, "copy.wav": 2.0}


def test_only_windows_of_equal_length_share_a_batch(dataset, twice):
    """Zero padding would change what a group-norm encoder says about all of a clip."""
    encoder = Levels()
    run(dataset, encoder, lengths_s=twice)
    assert sorted(encoder.shapes) == [(1, int(5.4 * RATE)), (2, 2 * RATE), (2, 3 * RATE)]


@pytest.mark.parametrize("paradigm", ["hubert", "data2vec"])
def test_states_do_not_depend_on_the_size_of_batches(dataset, twice, miniature, paradigm, monkeypatch):
    torch.manual_seed(0)
    recipe = build_kind(Catalogue(miniature).entry("models", f"random-{paradigm}"))
    encoder = FrozenTransformer(untrained_encoder(recipe), normalize=True)
    pools, real = [], FrozenTransformer.pool
    monkeypatch.setattr(FrozenTransformer, "pool", lambda self, states: pools.append(real(states)) or pools[-1])
    together = rows(run(dataset, encoder, lengths_s=twice))
    monkeypatch.setattr(embedding, "BATCH_S", 0.0)
    apart = rows(run(dataset, encoder, name="apart", lengths_s=twice))
    assert [len(values) for values in pools] == [2, 2, 1, 1, 1, 1, 1, 1]
    both = [torch.cat([one.flatten(1) for one in part]).sort(dim=0).values for part in (pools[:3], pools[3:])]
    torch.testing.assert_close(*both, rtol=0, atol=1e-5)
    np.testing.assert_allclose(apart.astype(float), together.astype(float), atol=2e-3)


def test_each_recording_is_standardized_whole(dataset):
    encoder = Levels()
    encoder.normalize = True
    (block,) = run(dataset, encoder, View(window_s=2.0, min_s=1.0, rows="window")).blocks
    steps = standardize(embedding.load(dataset / "steps.wav"))
    assert (steps.mean(), steps.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-3))
    assert block[1][1, 0, 0] == pytest.approx(steps[2 * RATE : 4 * RATE].mean(), abs=1e-2)
    assert block[2][0, 0, 0] == pytest.approx(0, abs=1e-2)


def test_unusable_audio_is_listed_with_its_reason(dataset):
    (dataset / "broken.wav").write_bytes(b"not audio")
    (dataset / "zero.wav").write_bytes(b"")
    (dataset / "cut.wav").write_bytes((dataset / "steps.wav").read_bytes()[:100_000])
    soundfile.write(dataset / "blip.wav", np.linspace(-0.5, 0.5, 399), RATE)
    lengths_s = LENGTHS_S | {"broken.wav": 0.0, "zero.wav": 0.0, "cut.wav": 5.4, "gone.wav": 3.0, "blip.wav": 0.025}
    (block,) = run(dataset, lengths_s=lengths_s).blocks
    assert block.ids == sorted(LENGTHS_S)
    assert {path: (start_s, reason) for path, start_s, reason in block.attrs["skipped"]} == {
        "cut.wav": (0.0, "truncated"), "broken.wav": (0.0, "not-audio"), "zero.wav": (0.0, "empty"),
        "gone.wav": (0.0, "unreadable"), "blip.wav": (0.0, "too short"),
    }  # fmt: skip


def test_windows_that_a_header_promises_and_the_audio_lacks_are_listed(dataset):
    """An MP3 may claim a little more than it holds: the last clip is shorter then, or it is lost."""
    view = View(window_s=1.8, min_s=1.8, rows="window")
    store = run(dataset, view=view, lengths_s={"steps.wav": 5.41, "noise.wav": 5.4})
    assert store.blocks[0].lengths().tolist() == [2, 3]
    assert store.blocks[0].attrs["skipped"] == [["noise.wav", 3.6, "too short"]]


def test_values_beyond_float16_are_refused_and_leave_nothing(dataset):
    class Loud(Levels):
        def states(self, wave):
            return super().states(wave) * 1e6

    with pytest.raises(UserError, match=r"noise.wav: found hidden states up to .*65504"):
        run(dataset, Loud())
    assert not list((dataset / "out").iterdir())


def test_floors_embed_like_encoders(dataset):
    mfcc = run(dataset, frozen(MfccFloor(kind="mfcc-floor", num_ceps=13, num_mel_bins=23), None))
    assert mfcc.rows.shape == (3, 1, 78)
    constant = run(dataset, frozen(ConstantFloor(kind="constant-floor"), None), name="c")
    assert rows(constant).tolist() == [[[0.0]]] * 3
    assert all(a <= b for a, b in pairwise(mfcc.offsets))
