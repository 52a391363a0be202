"""Masks against statistics of fairseq's own, and the laws they keep."""

import csv

import numpy as np
import pytest
from golden_models import GOLDEN

from musicssl.config.recipes import Masking
from musicssl.models import sample_mask
from musicssl.models.masking import count_runs
from musicssl.runtime import UserError

with open(GOLDEN / "mask_stats.csv", newline="") as stream:
    STATISTICS = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def masking(**changes):
    return Masking(**{"prob": 0.65, "length": 10, "min_spans": 1, "trim": False} | changes)


@pytest.mark.parametrize("row", STATISTICS, ids=lambda r: f"{r['frames']:.0f}-{r['mask_prob']}-{r['mask_length']:.0f}")
def test_masked_fraction_is_fairseqs(row):
    """Within three standard errors of 400 draws of 4 clips; trimmed clips of a draw have equal counts."""
    trim = bool(row["require_same_masks"])
    settings = masking(
        prob=row["mask_prob"], length=int(row["mask_length"]), min_spans=int(row["min_masks"]), trim=trim
    )
    rng = np.random.default_rng(20)
    draws, clips = (600, 4) if trim else (1, 2400)
    masks = np.stack([sample_mask(rng, settings, clips, int(row["frames"])) for _ in range(draws)])
    fractions = masks.mean(axis=2)
    if trim:
        assert (fractions == fractions[:, :1]).all()
    independent = fractions[:, 0] if trim else fractions.ravel()
    theirs = row["std_masked_fraction"] / np.sqrt(400 if trim else 1600)
    ours = independent.std() / np.sqrt(len(independent))
    assert abs(independent.mean() - row["mean_masked_fraction"]) < 3 * np.hypot(theirs, ours)
    assert independent.std() == pytest.approx(row["std_masked_fraction"], rel=0.2)


@pytest.mark.parametrize(
    ("settings", "frames", "clips", "fraction", "run"),
    [
        (masking(prob=0.65, trim=False), 249, 47, 0.493, 14.5),
        (masking(prob=0.65, trim=True), 249, 47, 0.399, 4.1),
        (masking(prob=0.8, min_spans=2, trim=False), 1499, 2, 0.565, 16.3),
        (masking(prob=0.8, min_spans=2, trim=True), 1499, 2, 0.556, 13.0),
        (masking(prob=0.65, length=5, trim=True), 1499, 7, 0.486, 6.5),
        (masking(prob=0.5, trim=True), 1499, 7, 0.384, 8.6),
    ],
)
def test_trimming_punches_holes_as_in_fairseq(settings, frames, clips, fraction, run):
    """Fraction and run length measured on fairseq's masks, printed to two or three digits."""
    rng = np.random.default_rng(3)
    masks = np.concatenate([sample_mask(rng, settings, clips, frames) for _ in range(-(-600 // clips))])
    assert masks.mean() == pytest.approx(fraction, rel=0.015)
    assert masks.sum() / count_runs(masks) == pytest.approx(run, rel=0.05)


def test_spans_are_whole_and_start_where_fairseqs_do():
    rng = np.random.default_rng(1)
    mask = sample_mask(rng, masking(prob=0.1), 3000, 50)
    assert not mask[:, -1].any()  # starts lie below T - length
    assert mask[:, 0].any()
    assert mask[:, -2].any()
    assert mask.sum(axis=1).min() == 10
    padded = np.pad(mask.astype(np.int8), ((0, 0), (1, 1)))
    rises, falls = (np.argwhere(np.diff(padded) == sign)[:, 1] for sign in (1, -1))
    assert (falls - rises).min() == 10


def test_number_of_spans_is_rounded_at_random():
    """0.2 * 50 / 4 = 2.5 spans: two or three, each over 4 of 46 starts, hide 50 (1 - (1 - n / 46)^4) frames or so."""
    mask = sample_mask(np.random.default_rng(2), masking(prob=0.2, length=4), 4000, 50)
    assert {5, 12} <= set(mask.sum(axis=1)) <= set(range(5, 13))
    expected = np.mean([50 * (1 - (1 - n / 46) ** 4) for n in (2, 3)])
    assert mask.sum(axis=1).mean() == pytest.approx(expected, rel=0.05)


def test_there_are_never_fewer_spans_than_asked():
    mask = sample_mask(np.random.default_rng(2), masking(prob=0.01, length=2, min_spans=5), 500, 99)
    assert mask.sum(axis=1).max() == 10
    assert mask.sum(axis=1).min() >= 6


def test_clips_with_their_own_generators_do_not_disturb_each_other():
    one, two, three = (np.random.default_rng(seed) for seed in (1, 2, 3))
    first = sample_mask([one, two], masking(), 2, 99)
    again = sample_mask([np.random.default_rng(1), three], masking(), 2, 99)
    assert (first[0] == again[0]).all()
    assert (first[1] != again[1]).any()


def test_trimmed_mask_is_part_of_the_untrimmed():
    def generators():
        return [np.random.default_rng(seed) for seed in range(8)]

    whole = sample_mask(generators(), masking(), 8, 249)
    trimmed = sample_mask(generators(), masking(trim=True), 8, 249)
    assert (trimmed <= whole).all()
    assert (trimmed.sum(axis=1) == whole.sum(axis=1).min()).all()


def test_very_short_clips_keep_two_places_for_a_span():
    """Where T - length is no more than the spans, fairseq gives them one place more than their number."""
    mask = sample_mask(np.random.default_rng(0), masking(prob=0.1, length=9), 50, 10)
    assert {tuple(np.flatnonzero(row)[[0, -1]]) for row in mask} == {(0, 8), (1, 9)}


def test_hopeless_settings_are_named():
    with pytest.raises(UserError, match="every frame of a clip of 12 frames"):
        sample_mask(np.random.default_rng(0), masking(prob=5.0), 4, 12)
    with pytest.raises(UserError, match="min_spans: found 0"):
        sample_mask(np.random.default_rng(0), masking(min_spans=0), 4, 99)


def test_runs_are_counted_clip_by_clip():
    mask = np.array([[1, 1, 0, 1, 0, 1], [1, 0, 0, 0, 1, 1]], dtype=bool)
    assert count_runs(mask) == 5
