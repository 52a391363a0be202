"""What the page shows of what went in and what it cost: corpora, tasks, jobs, rules, recipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..artefacts.aside import SetAside
from ..artefacts.benchmarks import Benchmark
from ..artefacts.rulegraph import RuleGraph
from ..artefacts.task import SPLITS

SHOWN_ROWS = 200
GIB_PER_MIB = 1 / 1024


class Listing(NamedTuple):
    """What was set aside: the first rows, how many more there are, and how many for each reason."""

    rows: Sequence[SetAside]
    num_left: int
    reasons: list[tuple[str, int]]

    @property
    def total(self) -> int:
        """The number of all rows."""
        return len(self.rows) + self.num_left


class Corpus(NamedTuple):
    """One corpus: the values of its manifest by dotted key, and the files set aside."""

    name: str
    facts: list[tuple[str, Any]]
    aside: Listing


class Count(NamedTuple):
    """Items of a split beside the published number, where there is one."""

    found: int
    published: int | None


class TaskData(NamedTuple):
    """The data of one task."""

    name: str
    dataset: str
    kind: str
    counts: list[Count]
    license: str
    citation: str
    notes: list[str]
    skipped: Listing


class Planned(NamedTuple):
    """What the cost plan expects of a rule."""

    cpu_s: float
    gpu_s: float
    memory_gb: float


class Cost(NamedTuple):
    """What the jobs of one rule took; ``share`` is of the costliest rule, 0 to 1."""

    rule: str
    num_jobs: int
    wall_s: float
    share: float
    longest_s: float
    peak_gib: float
    planned: Planned | None


class Rule(NamedTuple):
    """One rule, what it does, and the rules whose outputs it needs."""

    name: str
    does: str
    needs: list[str]


class RecipeView(NamedTuple):
    """One recipe: what it is of, its digest, what it was made from, and its entry."""

    name: str
    digest: str
    made_from: list[str]
    entry: Any


def corpora_view(
    manifests: Mapping[str, Mapping[str, Any]], quarantines: Mapping[str, Sequence[SetAside]]
) -> list[Corpus]:
    """Return the totals of every corpus and the files set aside."""
    return [
        Corpus(name, list(facts(manifest)), listing(quarantines.get(name, []))) for name, manifest in manifests.items()
    ]


def facts(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of a nested mapping by dotted key."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from facts(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def listing(rows: Sequence[SetAside]) -> Listing:
    """Return the first rows of a list and the number of rows by reason, most frequent first."""
    reasons = Counter(row.reason for row in rows).most_common()
    return Listing(rows[:SHOWN_ROWS], max(0, len(rows) - SHOWN_ROWS), reasons)


def tasks_view(tasks: Mapping[str, Mapping[str, Any]], skipped: Mapping[str, Sequence[SetAside]]) -> list[TaskData]:
    """Return the items of every task beside the published counts, what was skipped, and whom to cite."""
    found = []
    for name, task in tasks.items():
        published = task["expected"] or {}
        notes = [task["notes"]] if isinstance(task["notes"], str) else task["notes"] or []
        found.append(
            TaskData(
                name=name,
                dataset=task["dataset"],
                kind=task["kind"],
                counts=[Count(task["counts"].get(split, 0), published.get(split)) for split in SPLITS],
                license=task["licence"],
                citation=task["citation"],
                notes=[note for note in notes if note],
                skipped=listing(skipped.get(name, [])),
            )
        )
    return found


def costs_view(benchmarks: Mapping[str, Sequence[Benchmark]], planned: Sequence[Mapping[str, Any]]) -> list[Cost]:
    """Return wall time and memory by rule, the costliest first, beside what the plan expected of the same stages."""
    walls = {rule: sum(job.wall_s for job in jobs) for rule, jobs in benchmarks.items()}
    most = max(walls.values(), default=0.0) or 1.0
    return [
        Cost(
            rule=rule,
            num_jobs=len(benchmarks[rule]),
            wall_s=walls[rule],
            share=walls[rule] / most,
            longest_s=max(job.wall_s for job in benchmarks[rule]),
            peak_gib=max(job.peak_mib for job in benchmarks[rule]) * GIB_PER_MIB,
            planned=planned_of(rule, planned),
        )
        for rule in sorted(benchmarks, key=lambda rule: (-walls[rule], rule))
    ]


def planned_of(rule: str, planned: Sequence[Mapping[str, Any]]) -> Planned | None:
    """Return core time, GPU time and memory the plan gives a rule; None for rules it leaves out."""
    stages = [stage for stage in planned if stage["rule"] == rule]
    if not stages:
        return None
    cpu_s, gpu_s = (3600 * sum(stage[key] for stage in stages) for key in ("cpu_h", "gpu_h"))
    return Planned(cpu_s, gpu_s, max(stage["memory_gb"] for stage in stages))


def rules_view(graph: RuleGraph | None, docstrings: Mapping[str, str]) -> list[Rule]:
    """Return every rule of the graph, in the order of the docstrings, which is that of the rule files."""
    if graph is None:
        return []
    order = {name: i for i, name in enumerate(docstrings)}
    names = sorted(graph.needs, key=lambda name: (order.get(name, len(order)), name))
    return [Rule(name, docstrings.get(name, ""), graph.needs[name]) for name in names]


def recipes_view(recipes: Sequence[Mapping[str, Any]]) -> list[RecipeView]:
    """Return the digest of every recipe, what it was made from, and its entry in full."""
    return [
        RecipeView(
            name=f"{recipe['noun']}/{recipe['name']}",
            digest=recipe["digest"],
            made_from=[f"{one['noun']}/{one['name']} {one['digest']}" for one in recipe["inputs"].values()],
            entry=recipe["entry"],
        )
        for recipe in recipes
    ]
