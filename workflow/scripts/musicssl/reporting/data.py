"""What went in and what it cost: corpora, tasks, jobs, configuration."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .markup import Child, Markup, details, join, table, tag
from .tables import Row

SHOWN_ROWS = 200
SPLITS = ("train", "valid", "test")
GIB_PER_MB = 1 / 1024
PLAN_KEY = (
    "Planned: the cost model of `python -m musicssl plan`, core time if there is no GPU, GPU time (at 1e14 "
    "operations a second) if there is one. Wall time counts every job as it waited for its neighbours."
)


def corpora_part(manifests: Mapping[str, Mapping[str, Any]], quarantines: Mapping[str, Sequence[Row]]) -> Markup:
    """Return the totals of every corpus and the files set aside, by reason and by name."""
    parts: list[Child] = []
    for corpus, manifest in manifests.items():
        totals = table(["Manifest", "Value"], facts(manifest))
        rows = quarantines.get(corpus, [])
        counts = Counter(row["reason"] for row in rows).most_common()
        aside = table(["Set aside because", "Files"], [[reason, f"{n:,}"] for reason, n in counts])
        parts += [tag("h3", corpus), tag("div", totals, aside if rows else None, class_="beside")]
        title = f"Every file set aside ({len(rows):,})"
        nothing = tag("p", "No file was set aside.")
        parts.append(listing(title, ("file", "reason", "detail"), rows) if rows else nothing)
    return join(parts)


def facts(values: Mapping[str, Any], prefix: str = "") -> Iterator[list[Child]]:
    """Yield the plain values of a nested mapping by dotted key; long lists are counted."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from facts(value, f"{prefix}{key}.")
        elif isinstance(value, list) and (len(value) > 8 or any(isinstance(one, list | dict) for one in value)):
            yield [f"{prefix}{key}", f"{len(value):,} entries"]
        else:
            yield [f"{prefix}{key}", plain(value)]


def plain(value: Any) -> str:
    """Return a value as people write it."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def listing(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Markup:
    """Return a folded table of the first rows, saying how many there are."""
    shown = [[row.get(column) or "–" for column in columns] for row in rows[:SHOWN_ROWS]]
    left = len(rows) - len(shown)
    rest = tag("p", f"{left:,} more are in the file itself.", class_="note") if left else None
    return details(title, table(columns, shown), rest)


def tasks_part(tasks: Mapping[str, tuple[Mapping[str, Any], Sequence[Row]]]) -> Markup:
    """Return the items of every task beside the published counts, what was skipped, and whom to cite."""
    if not tasks:
        return Markup()
    rows, parts = [], []
    for name, (task, skipped) in tasks.items():
        expected = task["expected"] or {}
        counts = [count_cell(task["counts"].get(split, 0), expected.get(split)) for split in SPLITS]
        rows.append([name, task["dataset"], task["kind"], *counts, f"{len(skipped):,}", task["licence"]])
        if skipped:
            reasons = "; ".join(f"{reason} {n:,}" for reason, n in Counter(r["reason"] for r in skipped).most_common())
            title = f"{name}: skipped {len(skipped):,} ({reasons})"
            parts.append(listing(title, ("item", "reason", "detail"), skipped))
    cited = [tag("li", tag("strong", name), ": ", task["citation"], notes(task)) for name, (task, _) in tasks.items()]
    head = ["Task", "Dataset", "Kind", "Train", "Validation", "Test", "Skipped", "Licence"]
    return join([table(head, rows), *parts, details("Citations and notes", tag("ul", *cited))])


def count_cell(found: int, expected: int | None) -> Markup:
    """Return a count, marked where it differs from the published one."""
    if expected is None or expected == found:
        return tag("span", f"{found:,}")
    return join([f"{found:,}", tag("small", f"published {expected:,}", class_="mark")])


def notes(task: Mapping[str, Any]) -> Markup | None:
    """Return the remarks a task's reader left."""
    lines = [task["notes"]] if isinstance(task["notes"], str) else task["notes"]
    return tag("ul", *(tag("li", line) for line in lines)) if lines and any(lines) else None


def costs_part(benchmarks: Mapping[str, Sequence[Mapping[str, Any]]], planned: Sequence[Mapping[str, Any]]) -> Markup:
    """Return wall time and memory by rule, the costliest first, beside what the plan expected of the same stages."""
    if not benchmarks:
        return Markup()
    walls = {rule: [measured(job, "s") for job in jobs] for rule, jobs in benchmarks.items()}
    most = max(sum(values) for values in walls.values()) or 1.0
    rows = []
    for rule, jobs in sorted(benchmarks.items(), key=lambda item: (-sum(walls[item[0]]), item[0])):
        total = sum(walls[rule])
        memory = max(measured(job, "max_rss") for job in jobs) * GIB_PER_MB
        bar = tag("i", class_="bar", style=f"width:{100 * total / most:.1f}%")
        cells = [duration(total), bar, duration(max(walls[rule])), f"{memory:.2f} GiB"]
        rows.append([rule, f"{len(jobs):,}", *cells, *expected(rule, planned)])
    head = ["Rule", "Jobs", "Wall time", "Share of the costliest", "Longest job", "Peak memory"]
    head += ["Planned core time", "Planned GPU time", "Planned memory"]
    return join([table(head, rows, "plain costs"), tag("p", PLAN_KEY, class_="note")])


def expected(rule: str, planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return core time, GPU time and memory the plan gives a rule; dashes for rules it leaves out."""
    stages = [stage for stage in planned if stage["rule"] == rule]
    if not stages:
        return ["–", "–", "–"]
    hours = (3600 * sum(stage[key] for stage in stages) for key in ("cpu_h", "gpu_h"))
    return [*map(duration, hours), f"{max(stage['memory_gb'] for stage in stages):.2f} GB"]


def measured(job: Mapping[str, Any], key: str) -> float:
    """Return a benchmark value; jobs too short for Snakemake to sample have none and count as zero."""
    try:
        return float(job[key])
    except (KeyError, TypeError, ValueError):
        return 0.0


def duration(seconds: float) -> str:
    """Return seconds as people read them: ``3.2 s``, ``4 min 05 s``, ``2 h 10 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60:02d} min"


def recipes_part(recipes: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the digest of every recipe, what it was made from, and its entry in full."""
    if not recipes:
        return Markup()
    rows = []
    for recipe in recipes:
        made_of = ", ".join(f"{one['noun']}/{one['name']} {one['digest']}" for one in recipe["inputs"].values())
        entry = tag("pre", json.dumps(recipe["entry"], indent=1, ensure_ascii=False))
        digest = tag("code", recipe["digest"])
        rows.append([f"{recipe['noun']}/{recipe['name']}", digest, made_of or "–", details("entry", entry)])
    return table(["Recipe", "Digest", "Made from", "Settings"], rows)


def provenance_part(provenance: Mapping[str, Any]) -> Markup:
    """Return what ran where."""
    packages = ", ".join(f"{name} {version}" for name, version in provenance.get("packages", {}).items())
    terms = [("Code", provenance.get("git")), ("Python", provenance.get("python"))]
    terms += [("Machine of this page", provenance.get("machine")), ("Packages", packages)]
    return tag("dl", *(join([tag("dt", term), tag("dd", value)]) for term, value in terms if value), class_="facts")
