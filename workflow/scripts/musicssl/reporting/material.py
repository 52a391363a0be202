"""Everything the page shows, read from the run's files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..artefacts import read_json, read_jsonl
from .studies import StudyTable
from .tables import Row, read_csv

Paths = Iterable[str | Path]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a run left, by name; what it did not make stays empty."""

    studies: list[StudyTable] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    kmeans: dict[str, dict[str, Any]] = field(default_factory=dict)
    quality: dict[str, dict[str, Any]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    quarantines: dict[str, list[Row]] = field(default_factory=dict)
    tasks: dict[str, tuple[dict[str, Any], list[Row]]] = field(default_factory=dict)
    recipes: list[dict[str, Any]] = field(default_factory=list)
    benchmarks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    planned: list[dict[str, Any]] = field(default_factory=list)
    rulegraph: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def is_miniature(self) -> bool:
        """Whether some corpus is the synthetic one, whose scores say nothing about music."""
        return any(recipe["noun"] == "corpora" and recipe["name"] == "miniature" for recipe in self.recipes)


def read_studies(paths: Paths, studies: Mapping[str, Mapping[str, Any]]) -> list[StudyTable]:
    """Read ``studies/{study}/table.csv`` files with the entries of their studies."""
    return [StudyTable(name, studies[name], read_csv(path)) for name, path in by_folder(paths).items()]


def by_folder(paths: Paths) -> dict[str, Path]:
    """Return paths by the name of the folder they lie in, such as ``models/{model}/metrics.jsonl``."""
    return {Path(path).parent.name: Path(path) for path in paths}


def read_curves(paths: Paths) -> dict[str, list[dict[str, Any]]]:
    """Read ``models/{model}/metrics.jsonl`` files by model."""
    return {model: read_jsonl(path) for model, path in by_folder(paths).items()}


def read_labels(paths: Paths) -> dict[str, dict[str, Any]]:
    """Read ``labels/{labels}/{corpus}/*.json`` files of one kind by "labels on corpus"."""
    return {f"{Path(p).parent.parent.name} on {Path(p).parent.name}": read_json(p) for p in paths}


def read_tasks(paths: Paths) -> dict[str, tuple[dict[str, Any], list[Row]]]:
    """Read ``tasks/{task}/task.json`` files, each with the ``skipped.csv`` beside it."""
    found = {}
    for task, path in by_folder(paths).items():
        skipped = path.with_name("skipped.csv")
        found[task] = (read_json(path), read_csv(skipped) if skipped.exists() else [])
    return found


def read_benchmarks(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Read Snakemake's benchmark records (``<rule>/<wildcards>.jsonl`` or ``.tsv``) by rule; none if no folder."""
    folder = Path(folder)
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".jsonl", ".tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(path.suffix)
        found.setdefault(rule, []).extend(read_jsonl(path) if path.suffix == ".jsonl" else read_tsv(path))
    return {rule: jobs for rule, jobs in found.items() if jobs}


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Read a tab-separated benchmark file."""
    head, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]
