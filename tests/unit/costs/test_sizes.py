"""What states cost, against the adapters' published counts and hand-made products."""

import pytest

from musicssl import datasets as tasks
from musicssl.config.catalogue import Catalogue
from musicssl.costs.sizes import DATASETS, states_cost

BASE = (13, 768)


def test_every_task_has_a_size_that_its_adapter_confirms(paper: dict) -> None:
    entries = [Catalogue(paper).entry("tasks", name) for name in Catalogue(paper).names("tasks")]
    assert {(e["dataset"], e["target"]) for e in entries} == {(d, t) for d, size in DATASETS.items() for t in size.rows}
    windows = {"emomusic": 9}
    for dataset in ("magnatagatune", "emomusic", "nsynth", "giantsteps"):
        for rows in DATASETS[dataset].rows.values():
            assert rows == windows.get(dataset, 1) * sum(tasks.adapter(dataset).EXPECTED.values())
    for target, rows in DATASETS["mtg-jamendo"].rows.items():
        assert rows == sum(tasks.adapter("mtg-jamendo").EXPECTED[target].values())


def test_beats_cost_28_gigabytes_while_they_are_probed_and_none_afterwards() -> None:
    cost = states_cost("gtzan", ["genre", "rhythm"], *BASE)
    assert cost.frames_bytes == pytest.approx(930 * 1499 * 13 * 768 * 2, rel=1e-3)
    assert cost.frames_bytes / 1e9 == pytest.approx(27.9, abs=0.1)
    assert cost.pooled_bytes == 930 * 13 * 768 * 2
    assert states_cost("gtzan", ["genre"], *BASE).frames_bytes == 0


def test_all_13_tasks_keep_9_gigabytes_a_model() -> None:
    kept = sum(states_cost(name, list(size.rows), *BASE).pooled_bytes for name, size in DATASETS.items())
    assert kept / 1e9 == pytest.approx(8.3, abs=0.1)


def test_shared_recordings_are_paid_once_and_fewer_tasks_cost_less() -> None:
    every = states_cost("mtg-jamendo", ["top50tags", "genre", "instrument", "moodtheme"], *BASE)
    assert every.pooled_bytes == 55_525 * 13 * 768 * 2
    one = states_cost("mtg-jamendo", ["moodtheme"], *BASE)
    assert one.pooled_bytes == 17_982 * 13 * 768 * 2
    assert one.hours == pytest.approx(every.hours * 17_982 / 55_525)
    assert states_cost("nsynth", ["pitch"], *BASE) == states_cost("nsynth", ["pitch", "instrument"], *BASE)
