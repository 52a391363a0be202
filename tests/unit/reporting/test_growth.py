"""Scores against updates: which studies have such curves, and where their points lie."""

import dataclasses

from musicssl.artefacts.table import StudyRow
from musicssl.reporting.cells import StudyTable
from musicssl.reporting.growth import growth_view, ordered


def row(model, mean, role="model"):
    values = {"model": model, "role": role, "task": "gs-key", "metric": "key_score", "status": "ok"}
    return StudyRow(**values, mean=mean, std=0.01, low=mean - 0.01, high=mean + 0.01, trivial=0.1, digest="x")


def study(updates):
    """Return a study of one HuBERT for each number of updates, with floors, and the recipes."""
    rows = [row(f"hubert-u{n}", 0.2 + n / 10000) for n in updates]
    rows += [row("random-hubert", 0.2, "floor"), row("mfcc", 0.33, "floor")]
    entries = {f"hubert-u{n}": {"kind": "hubert", "updates": n} for n in updates}
    entries |= {"random-hubert": {"kind": "hubert", "updates": 0}, "mfcc": {"kind": "mfcc-floor"}}
    recipes = [{"noun": "models", "name": name, "entry": entry, "inputs": {}} for name, entry in entries.items()]
    return StudyTable("evidence", {"title": "t", "question": "q", "paper_table": 0}, rows), recipes


def test_a_curve_starts_at_the_untrained_baseline_and_is_in_order_of_updates():
    table, recipes = study([1800, 200, 600])
    entries = {recipe["name"]: recipe["entry"] for recipe in recipes}
    models = ["random-hubert", "hubert-u200", "hubert-u600", "hubert-u1800"]
    assert ordered(table, entries, "hubert") == list(zip((0, 200, 600, 1800), models))
    (chart,) = growth_view(table, recipes).charts
    assert [line.label for line in chart.legend] == ["MusicHuBERT", "mfcc (33.0)"]
    assert chart.legend[0].points == [(0, 20), (200, 22), (600, 26), (1800, 38)]
    assert chart.drawing.count("<svg") == 1


def test_snapshots_of_one_model_make_its_curve():
    table, recipes = study([300, 600, 900])
    last = recipes[2]
    for recipe in recipes[:2]:
        recipe["entry"] = {"kind": "snapshot", "of": last["name"], "updates": recipe["entry"]["updates"]}
        recipe["inputs"] = {"model": last}
    assert growth_view(table, recipes) == growth_view(*study([300, 600, 900]))


def test_two_models_make_no_curve():
    assert growth_view(*study([200, 600])) is None


def test_dots_mark_where_the_paired_interval_over_the_baseline_lies_above_0():
    table, recipes = study([200, 600, 1800])
    assert growth_view(table, recipes).charts[0].drawing.count("<circle") == 0
    for updates, low in ((200, -0.001), (600, 0.001), (1800, 0.0)):
        cell = f"hubert-u{updates}", table.columns[0]
        gain = {
            "baseline": "random-hubert",
            "over_baseline": 0.02,
            "over_baseline_low": low,
            "over_baseline_high": 0.05,
        }
        table.cells[cell] = dataclasses.replace(table.cells[cell], **gain)
    assert growth_view(table, recipes).charts[0].drawing.count("<circle") == 1
