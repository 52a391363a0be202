"""Scores against updates: which studies have such curves, and where their points lie."""

from musicssl.reporting.growth import growth_part, ordered
from musicssl.reporting.studies import StudyTable


def row(model, mean, role="model"):
    return {
        "model": model, "role": role, "task": "gs-key", "metric": "key_score", "status": "ok", "mean": str(mean),
        "std": "1.0", "low": str(mean - 1), "high": str(mean + 1), "trivial": "10.0", "paper": "", "digest": "x",
    }  # fmt: skip


def study(updates):
    """Return a study of one HuBERT for each number of updates, with floors, and the recipes."""
    rows = [row(f"hubert-u{n}", 20 + n / 100) for n in updates]
    rows += [row("random-hubert", 20, "floor"), row("mfcc", 33, "floor")]
    entries = {f"hubert-u{n}": {"kind": "hubert", "updates": n} for n in updates}
    entries |= {"random-hubert": {"kind": "hubert", "updates": 0}, "mfcc": {"kind": "mfcc-floor"}}
    recipes = [{"noun": "models", "name": name, "entry": entry, "inputs": {}} for name, entry in entries.items()]
    return StudyTable("evidence", {"title": "t", "question": "q", "paper_table": 0}, rows), recipes


def test_a_curve_starts_at_the_untrained_twin_and_is_in_order_of_updates():
    table, recipes = study([1800, 200, 600])
    entries = {recipe["name"]: recipe["entry"] for recipe in recipes}
    models = ["random-hubert", "hubert-u200", "hubert-u600", "hubert-u1800"]
    assert ordered(table, entries, "hubert") == list(zip((0, 200, 600, 1800), models))
    page = str(growth_part(table, recipes))
    assert page.count("<svg") == 1
    assert "MusicHuBERT" in page
    assert "Music2Vec" not in page
    assert "mfcc" in page


def test_snapshots_of_one_model_make_its_curve():
    table, recipes = study([300, 600, 900])
    last = recipes[2]
    for recipe in recipes[:2]:
        recipe["entry"] = {"kind": "snapshot", "of": last["name"], "updates": recipe["entry"]["updates"]}
        recipe["inputs"] = {"model": last}
    assert growth_part(table, recipes) == growth_part(*study([300, 600, 900]))


def test_two_models_make_no_curve():
    assert growth_part(*study([200, 600])) is None


def test_dots_mark_where_the_paired_interval_over_the_twin_lies_above_0():
    table, recipes = study([200, 600, 1800])
    assert str(growth_part(table, recipes)).count("<circle") == 0
    for updates, low in ((200, "-0.1"), (600, "0.1"), (1800, "0.0")):
        cell = table.cells[f"hubert-u{updates}", table.columns[0]]
        cell |= {"over_twin": "2.0", "over_twin_low": low, "over_twin_high": "5.0"}
    assert str(growth_part(table, recipes)).count("<circle") == 1
