"""Paired differences: those of the stored bootstrap values are those of resampling the predictions."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_tables import rows_of

from musicssl.probing.protocol import arrays_of, compare, digest_of_units, summarise, write_probe
from musicssl.probing.scoring import Units
from musicssl.reporting.paired import paired_difference
from musicssl.reporting.tables import GAIN, OVER_TWIN


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


def test_gains_stand_in_the_study_and_on_the_page(table: Path, page: str) -> None:
    rows = {(row["model"], row["task"], row["metric"]): row for row in rows_of(table)}
    row = rows["music2vec-vanilla", "nsynth-pitch", "accuracy"]
    assert [row[key] for key in GAIN] == ["hubert-k500-mfcc39", "-29.00", "-29.00", "-29.00"]
    assert rows["hubert-k500-mfcc39", "nsynth-pitch", "accuracy"]["gain"] == ""
    assert rows["hubert-speech", "nsynth-pitch", "accuracy"]["gain"] == ""
    assert "Paired differences to hubert-k500-mfcc39" in page
    assert re.search(r"<b>-29.0</b><small>\[-29.0, -29.0\]</small>", page)


def test_every_model_is_compared_with_the_untrained_twin_of_its_paradigm(table: Path, page: str) -> None:
    rows = {(row["model"], row["task"], row["metric"]): row for row in rows_of(table)}
    cells = {model: [rows[model, "gs-key", "key_score"][key] for key in OVER_TWIN] for model, _, _ in rows}
    assert cells["hubert-k500-mfcc39"] == ["random-hubert", "32.00", "32.00", "32.00"]
    assert cells["music2vec-vanilla"] == ["random-data2vec", "8.00", "8.00", "8.00"]
    assert all(cells[model] == [""] * 4 for model in ("hubert-speech", "random-hubert", "mfcc"))
    assert "Paired differences to the untrained twin" in page
    assert "14 are better than the untrained twin&#x27;s, 0 worse" in page
