"""Batches as functions of (seed, update, slot)."""

import threading

import numpy as np
import pytest
import training_kit as kit

from musicssl.runtime import UserError
from musicssl.training import data
from musicssl.training.batches import AHEAD, Batches, kept_layers, plan, prefetch
from musicssl.training.data import Clips


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return kit.write_corpus(folder, [[16000 + 400 * i for i in range(10)], [24000] * 11])


def batches(corpus, micro_batch_s=None, **changes):
    entry = kit.entry(**changes)
    sizes = plan(entry, micro_batch_s)
    return Batches(Clips(corpus[0], [corpus[1]], sizes.crop), entry, sizes)


def test_plan_counts_clips():
    sizes = plan(kit.entry(crop_s=5.0, batch={"global_s": 1880.0, "group_s": 235.0}), 47 * 5.0)
    assert (sizes.crop, sizes.num_clips, sizes.group, sizes.micro, sizes.num_micro) == (80000, 376, 47, 47, 8)
    sizes = plan(kit.entry(crop_s=15.625, batch={"global_s": 625.0, "group_s": 78.125}), 15.625)
    assert (sizes.crop, sizes.num_clips, sizes.group, sizes.num_micro) == (250000, 40, 5, 40)


@pytest.mark.parametrize(
    ("changes", "micro", "message"),
    [
        ({"crop_s": 0.02}, None, "crop_s: found 0.02 s, expected at least one frame of 0.025 s"),
        ({"batch": {"global_s": 8.0, "group_s": 2.3}}, None, r"batch.group_s: found 2.3 s.*such as 2 or 2.5"),
        ({"batch": {"global_s": 7.0, "group_s": 2.0}}, None, r"batch.global_s: found 7 s.*such as 6 or 8"),
        ({"batch": {"global_s": 8.0, "group_s": 0.2}}, None, r"batch.group_s: found 0.2 s.*such as 0.5"),
        ({}, 1.5, r"batch.group_s: found 2 s, expected a multiple of micro_batch_s = 1.5 s"),
        ({}, 0.7, r"micro_batch_s: found 0.7 s"),
        ({}, 3.0, r"micro_batch_s: found 3 s, expected a multiple of batch.group_s = 2 s, such as 2 or 4"),
        ({}, 6.0, r"batch.global_s: found 8 s, expected a multiple of micro_batch_s = 6 s, such as 6 or 12"),
        ({}, 0.3, r"micro_batch_s: found 0.3 s, expected a multiple of crop_s = 0.5 s, such as 0.5$"),
    ],
)
def test_sizes_that_do_not_divide(changes, micro, message):
    with pytest.raises(UserError, match=message):
        plan(kit.entry(**changes), micro)


def test_every_epoch_visits_every_clip_once_in_another_order(corpus):
    made = batches(corpus)
    order = [made._visit(number) for number in range(48)]
    epochs = [order[:16], order[16:32], order[32:]]
    assert all(sorted(epoch) == made.clips.train.tolist() for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_labels_and_samples_come_from_the_same_place(corpus):
    *_, waves = corpus
    batch = batches(corpus).train(5, 2)
    windows = {n: np.lib.stride_tricks.sliding_window_view(wave, 8)[::320] for n, wave in enumerate(waves)}
    for wave, labels in zip(batch.wave.numpy(), batch.labels.tolist()):
        samples = np.round(wave[:8] * 32768).astype(np.int16)
        places = [(n, f) for n, window in windows.items() for f in np.flatnonzero((window == samples).all(1))]
        ((clip, frame),) = places
        assert labels == [(7 * clip + 2 * (frame + t)) % kit.NUM_CLUSTERS for t in range(24)]


def test_first_and_last_place_of_a_clip_are_drawn(tmp_path):
    *corpus, waves = kit.write_corpus(tmp_path, [[8000 + 639] * 3])
    made = batches(corpus, batch={"global_s": 50.0, "group_s": 50.0})
    found = np.round(made.train(0, 0).wave[:, :8].numpy() * 32768).astype(np.int16)
    drawn = {start for row in found for wave in waves for start in range(640) if (wave[start : start + 8] == row).all()}
    assert drawn == {0, 320}


def test_group_has_equal_masked_counts_and_micro_batches_slice_it(corpus):
    whole, parts = batches(corpus), batches(corpus, micro_batch_s=1.0)
    for group in range(4):
        mask = whole.train(3, group).mask
        assert len(set(mask.sum(1).tolist())) == 1
        halves = [parts.train(3, 2 * group + half) for half in range(2)]
        assert (np.concatenate([half.mask for half in halves]) == mask.numpy()).all()
        assert (np.concatenate([half.wave for half in halves]) == whole.train(3, group).wave.numpy()).all()


def test_batches_repeat_and_differ_by_update_and_seed(corpus):
    one, again, other = batches(corpus), batches(corpus), batches(corpus, seed=4)
    assert (one.train(7, 1).wave == again.train(7, 1).wave).all()
    assert one.train(7, 1).seed == again.train(7, 1).seed != one.train(8, 1).seed
    assert (one.train(7, 1).mask != one.train(8, 1).mask).any()
    assert (one.train(7, 1).wave != other.train(7, 1).wave).any()


def test_validation_covers_each_held_out_clip_once_and_stays_the_same(corpus):
    *_, waves = corpus
    made = batches(corpus)
    found = [made.valid(micro) for micro in range(made.num_valid_micro)]
    assert sum(len(batch.wave) for batch in found) == len(made.clips.valid) == 5
    assert all((batch.mask == made.valid(micro).mask).all() for micro, batch in enumerate(found))
    assert all((batch.wave == made.valid(micro).wave).all() for micro, batch in enumerate(found))
    assert len(waves) == 21


def test_layers_are_dropped_at_the_rate_asked_for():
    entry = kit.entry()
    kept = np.stack([kept_layers(entry, update, range(4)) for update in range(750)])
    assert kept.mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / kept.size))
    assert (kept_layers(entry, 5, [2, 3]) == kept[5][:, 2:]).all()
    assert (kept[:, :, 0] == kept[:, :, 1]).mean() == pytest.approx(0.58, abs=0.05)  # groups draw by themselves


def test_prefetch_keeps_order_and_passes_errors_on():
    assert list(prefetch(lambda n: n * n, [(n,) for n in range(20)])) == [n * n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        list(prefetch(lambda n: 1 // (n - 9), [(n,) for n in range(20)]))


def test_batches_are_built_while_the_model_is_busy():
    """The consumer holds one batch and asks for nothing; the next are made all the same, and no more than these."""
    built, enough = [], threading.Event()

    def build(n):
        built.append(n)
        if len(built) == AHEAD + 1:
            enough.set()
        return n

    stream = prefetch(build, [(n,) for n in range(50)])
    assert next(stream) == 0
    assert enough.wait(30)
    stream.close()
    assert sorted(built) == list(range(AHEAD + 1))


def test_a_visit_reads_its_crop_and_a_clip_is_measured_once(corpus, monkeypatch):
    """Bytes, not files: a crop is a slice of the memory map, and whole clips are read for their loudness only once."""
    read, measured = [], []
    crop, measure = Clips.crop, data.mean_and_deviation

    def watched(self, clip, start, out, normalize):
        samples = self._audio[self._shard[clip]][self._index[clip]]
        assert samples.dtype == np.int16
        assert isinstance(samples.base if not isinstance(samples, np.memmap) else samples, np.memmap)
        read.append(len(out))
        crop(self, clip, start, out, normalize)

    monkeypatch.setattr(Clips, "crop", watched)
    monkeypatch.setattr(data, "mean_and_deviation", lambda samples: measured.append(1) or measure(samples))
    source = batches(corpus, normalize=True)
    for update in range(6):
        for micro in range(source.sizes.num_micro):
            source.train(update, micro)
    assert read == [source.sizes.crop] * (6 * source.sizes.num_clips)
    assert len(measured) == len(source.clips.train)


def test_short_crops_first_then_long_ones(corpus):
    """As many seconds and micro-batches an update; no clip is visited twice before all were once."""
    source = batches(corpus, short_crop_s=0.25, short_updates=2, crop_s=0.5)
    plain = batches(corpus, crop_s=0.5)
    for update, (clips, samples, frames) in enumerate([(8, 4000, 12)] * 2 + [(4, 8000, 24)] * 2):
        batch = source.train(update, 1)
        assert batch.wave.shape == (clips, samples)
        assert batch.mask.shape == batch.labels.shape == (clips, frames)
    visits = []
    source._visit = lambda number: visits.append(number) or 0
    for update in range(4):
        for micro in range(source.sizes.num_micro):
            source.train(update, micro)
    assert visits == list(range(2 * 32 + 2 * 16))
    assert source.valid(0).wave.shape == plain.valid(0).wave.shape
