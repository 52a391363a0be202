"""Snakemake's benchmark records: ``benchmarks/{rule}/{wildcards}.jsonl`` or ``.tsv``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .store import read_jsonl


class Benchmark(NamedTuple):
    """What one job took; 0 where it was too short for Snakemake to measure."""

    wall_s: float
    peak_mib: float


def read_benchmarks(folder: str | Path) -> dict[str, list[Benchmark]]:
    """Read the records under a folder by rule; there are none where there is no folder."""
    folder = Path(folder)
    found: dict[str, list[Benchmark]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".jsonl", ".tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(path.suffix)
        rows = read_jsonl(path) if path.suffix == ".jsonl" else _read_tsv(path)
        found.setdefault(rule, []).extend(Benchmark(_number(row, "s"), _number(row, "max_rss")) for row in rows)
    return {rule: jobs for rule, jobs in found.items() if jobs}


def _read_tsv(path: Path) -> list[dict[str, str]]:
    head, *lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [dict(zip(head, line)) for line in lines]


def _number(row: Mapping[str, Any], key: str) -> float:
    """Return a value of a record; Snakemake writes "NA" or "-" for what it did not measure."""
    try:
        return float(row[key])
    except (KeyError, TypeError, ValueError):
        return 0.0
