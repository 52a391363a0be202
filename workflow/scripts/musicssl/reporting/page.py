"""The report page: one HTML file that needs nothing else, on screen, phone and paper.

Python makes the view (values only), ``templates/`` makes the words. The same material gives the same bytes; there is no
date on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from ..artefacts.table import StudyRow
from . import formats
from .cells import BELOW, NEAR, StudyTable
from .data import (
    Corpus,
    Cost,
    RecipeView,
    Rule,
    TaskData,
    corpora_view,
    costs_view,
    recipes_view,
    rules_view,
    tasks_view,
)
from .evidence import Clusters, Quality, Training, clusters_view, layers_view, quality_view, training_view
from .growth import growth_view
from .material import Material
from .studies import Study, study_view
from .svg import Chart


class Finding(NamedTuple):
    """How many cells of a study mean something; ``better`` and ``worse`` are None without paired differences."""

    study: str
    num_ran: int
    num_declared: int
    num_scores: int
    num_clear: int
    num_near: int
    num_below: int
    better: int | None
    worse: int | None


class Summary(NamedTuple):
    """The totals of the run; None where nothing was recorded."""

    num_models: int
    num_tasks: int
    num_probes: int
    num_trained: int
    num_aside: int | None
    wall_s: float | None
    findings: list[Finding]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything the templates show."""

    style: Markup
    is_miniature: bool
    provenance: Mapping[str, Any]
    summary: Summary
    studies: list[Study]
    training: Training
    layers: list[Chart]
    clusters: list[Clusters]
    quality: list[Quality]
    corpora: list[Corpus]
    tasks: list[TaskData]
    costs: list[Cost]
    rules: list[Rule]
    rulegraph: str
    recipes: list[RecipeView]


def render(material: Material) -> str:
    """Return the page as HTML text."""
    text: str = environment().get_template("page.html.j2").render(page=page_view(material))
    return text


def environment() -> jinja2.Environment:
    """Return where the templates live: everything is escaped, a name that is not there is an error."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters |= formats.FILTERS
    return found


def page_view(material: Material) -> Page:
    """Return what the templates show of a run."""
    graph = material.rulegraph
    return Page(
        style=Markup(resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")),
        is_miniature=material.is_miniature,
        provenance=material.provenance,
        summary=summary_view(material),
        studies=[study_view(table, growth_view(table, material.recipes)) for table in material.studies],
        training=training_view(material.curves),
        layers=layers_view(material.scores),
        clusters=clusters_view(material.kmeans),
        quality=quality_view(material.quality),
        corpora=corpora_view(material.manifests, material.quarantines),
        tasks=tasks_view(material.tasks, material.skipped),
        costs=costs_view(material.benchmarks, material.planned),
        rules=rules_view(graph, material.docstrings),
        rulegraph=graph.source if graph else "",
        recipes=recipes_view(material.recipes),
    )


def summary_view(material: Material) -> Summary:
    """Return the totals of a run and what its studies found."""
    seconds = sum(job.wall_s for jobs in material.benchmarks.values() for job in jobs)
    aside = sum(map(len, material.quarantines.values()))
    return Summary(
        num_models=len({model for table in material.studies for model in table.models if table.has_run(model)}),
        num_tasks=len({one.task for one in material.scores}),
        num_probes=len(material.scores),
        num_trained=len(material.curves),
        num_aside=aside if material.quarantines else None,
        wall_s=seconds if material.benchmarks else None,
        findings=[finding(table) for table in material.studies],
    )


def finding(table: StudyTable) -> Finding:
    """Return how many cells of a study mean something."""
    verdicts = table.verdicts()
    below, near = verdicts.count(BELOW), verdicts.count(NEAR)
    cells = [table.gain(m, c, StudyRow.over_untrained) for m in table.models for c in table.columns]
    gains = [gain for gain in cells if gain]
    return Finding(
        table.name,
        *table.probes(),
        num_scores=len(verdicts),
        num_clear=len(verdicts) - below - near,
        num_near=near,
        num_below=below,
        better=sum(gain.low > 0 for gain in gains) if gains else None,
        worse=sum(gain.high < 0 for gain in gains) if gains else None,
    )
