"""What states cost, against the adapters' published counts and hand-made products."""

import pytest

from musicssl.config.catalogue import Catalogue
from musicssl.config.recipes import View, build
from musicssl.costs.sizes import DATASETS, states_cost
from musicssl.datasets import DATASETS as ADAPTERS
from musicssl.datasets import adapter, giantsteps

BASE = (13, 768)
FRAMES = View(window_s=0.0, min_s=0.0, rows="frame")
WHOLE = View(window_s=0.0, min_s=0.0, rows="recording")


def test_every_dataset_has_a_size_that_holds_what_its_tasks_use() -> None:
    assert set(DATASETS) == set(ADAPTERS)
    for dataset in ("magnatagatune", "emomusic", "nsynth", "gtzan"):
        assert DATASETS[dataset].recordings >= sum(adapter(dataset).EXPECTED.values())
    assert DATASETS["nsynth"].recordings == sum(adapter("nsynth").EXPECTED.values())
    assert DATASETS["giantsteps"].recordings >= sum(giantsteps.SONGS.values())
    assert DATASETS["giantsteps"].hours * 120 >= sum(giantsteps.WINDOWS[30.0].values())
    for expected in adapter("mtg-jamendo").EXPECTED.values():
        assert DATASETS["mtg-jamendo"].recordings >= sum(expected.values())


def test_beats_cost_30_gigabytes_while_they_are_probed_and_none_afterwards() -> None:
    cost = states_cost(DATASETS["gtzan"], FRAMES, *BASE)
    assert cost.frames_bytes == pytest.approx(1_000 * 1499 * 13 * 768 * 2, rel=1e-3)
    assert cost.frames_bytes / 1e9 == pytest.approx(29.9, abs=0.1)
    assert cost.pooled_bytes == 0
    assert states_cost(DATASETS["gtzan"], WHOLE, *BASE) == (1_000 * 13 * 768 * 2, 0)


def test_all_13_tasks_keep_8_gigabytes_a_model(paper: dict) -> None:
    catalogue = Catalogue(paper)
    pairs = {(task["dataset"], task["view"]) for task in catalogue.entries["tasks"].values()}
    views = {name: build(View, catalogue.entry("views", name)) for _, name in pairs}
    kept = sum(states_cost(DATASETS[dataset], views[name], *BASE).pooled_bytes for dataset, name in pairs)
    assert kept / 1e9 == pytest.approx(8.3, abs=0.1)
