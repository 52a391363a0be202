"""Paired differences: those of the stored bootstrap values are those of resampling the predictions."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from test_tables import rows_of, study_job

import tabulate_study
from musicssl.probing.protocol import arrays_of, compare, digest_of_units, summarise, write_probe
from musicssl.probing.scoring import Units
from musicssl.reporting.paired import paired_difference


def test_stored_values_give_the_paired_bootstrap_of_the_predictions(tmp_path) -> None:
    rng = np.random.default_rng(0)
    units = Units("multiclass", ["a", "b"], [str(i) for i in range(60)], [str(i // 2) for i in range(60)],
                  rng.integers(0, 2, 60))  # fmt: skip
    found = []
    for k, noise in enumerate((0.5, 1.5)):
        outputs = [np.eye(2)[units.targets] + noise * rng.standard_normal((60, 2)) for _ in range(3)]
        metrics = {"metrics": summarise(units, outputs, 200), "test_units": digest_of_units(units)}
        write_probe(tmp_path / f"{k}.json", tmp_path / f"{k}.npz", metrics, arrays_of(units, outputs))
        found.append(metrics)
    wanted = compare(tmp_path / "0.npz", tmp_path / "1.npz", "accuracy", 200)
    assert paired_difference(*found, "accuracy") == pytest.approx(wanted, abs=1e-5)
    assert wanted.low > 0
    narrow = wanted.high - wanted.low
    low, high = (found[0]["metrics"]["accuracy"][key] - found[1]["metrics"]["accuracy"][other]
                 for key, other in (("low", "high"), ("high", "low")))  # fmt: skip
    assert narrow < high - low


def test_other_test_items_are_not_compared() -> None:
    one = {"metrics": {"accuracy": {"mean": 0.5, "bootstrap": [0.4, 0.6]}}, "test_units": "a"}
    assert paired_difference(one, one | {"test_units": "b"}, "accuracy") is None
    assert paired_difference(one, {"metrics": {}, "test_units": "a"}, "accuracy") is None
    fewer = {"metrics": {"accuracy": {"mean": 0.5, "bootstrap": [0.4]}}, "test_units": "a"}
    assert paired_difference(one, fewer, "accuracy") is None


def test_gains_stand_in_the_study_and_on_the_page(run: SimpleNamespace, page: str) -> None:
    job = study_job(run)
    tabulate_study.main(job)
    rows = {(row["model"], row["task"], row["metric"]): row for row in rows_of(job.output.table)}
    row = rows["music2vec-vanilla", "nsynth-pitch", "accuracy"]
    assert [row[key] for key in ("reference", "gain", "gain_low", "gain_high")] == [
        "hubert-k500-mfcc39", "-29.00", "-29.00", "-29.00",
    ]  # fmt: skip
    assert rows["hubert-k500-mfcc39", "nsynth-pitch", "accuracy"]["gain"] == ""
    assert rows["hubert-speech", "nsynth-pitch", "accuracy"]["gain"] == ""
    assert "Paired differences to hubert-k500-mfcc39" in page
    assert re.search(r"<b>-29.0</b><small>\[-29.0, -29.0\]</small>", page)
