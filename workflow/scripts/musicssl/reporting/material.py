"""Everything the page shows, read from the run's files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..artefacts import read_json, read_jsonl
from ..artefacts.aside import SetAside, read_set_aside
from ..artefacts.benchmarks import Benchmark
from ..artefacts.rulegraph import RuleGraph
from ..artefacts.scores import Scores
from ..artefacts.table import StudyRow, read_rows
from .cells import StudyTable

Paths = Iterable[str | Path]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a run left, by name; what it did not make stays empty."""

    studies: list[StudyTable] = field(default_factory=list)
    scores: list[Scores] = field(default_factory=list)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    kmeans: dict[str, dict[str, Any]] = field(default_factory=dict)
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    quarantines: dict[str, list[SetAside]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, list[SetAside]] = field(default_factory=dict)
    recipes: list[dict[str, Any]] = field(default_factory=list)
    benchmarks: dict[str, list[Benchmark]] = field(default_factory=dict)
    planned: list[dict[str, Any]] = field(default_factory=list)
    rulegraph: RuleGraph | None = None
    docstrings: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def is_miniature(self) -> bool:
        """Whether some corpus is the synthetic one, whose scores say nothing about music."""
        return any(recipe["noun"] == "corpora" and recipe["name"] == "miniature" for recipe in self.recipes)


def read_studies(paths: Paths, studies: Mapping[str, Mapping[str, Any]]) -> list[StudyTable]:
    """Read ``studies/{study}/table.csv`` files with the entries of their studies."""
    return [StudyTable(name, studies[name], read_rows(path, StudyRow)) for name, path in by_folder(paths).items()]


def by_folder(paths: Paths) -> dict[str, Path]:
    """Return paths by the name of the folder they lie in, such as ``models/{model}/metrics.jsonl``."""
    return {Path(path).parent.name: Path(path) for path in paths}


def read_curves(paths: Paths) -> dict[str, list[dict[str, Any]]]:
    """Read ``models/{model}/metrics.jsonl`` files by model."""
    return {model: read_jsonl(path) for model, path in by_folder(paths).items()}


def read_labels(paths: Paths) -> dict[str, dict[str, Any]]:
    """Read ``labels/{labels}/{corpus}/*.json`` files of one kind by "labels on corpus"."""
    return {f"{Path(p).parent.parent.name} on {Path(p).parent.name}": read_json(p) for p in paths}


def read_by_folder(paths: Paths) -> dict[str, dict[str, Any]]:
    """Read JSON files, such as ``tasks/{task}/task.json``, by the name of their folder."""
    return {name: read_json(path) for name, path in by_folder(paths).items()}


def read_lists(paths: Paths) -> dict[str, list[SetAside]]:
    """Read ``quarantine.csv`` or ``skipped.csv`` files by the name of their folder."""
    return {name: read_set_aside(path) for name, path in by_folder(paths).items()}
