"""The report page: one HTML file that needs nothing else, on screen, phone and paper.

The same material gives the same bytes; there is no date on the page.
"""

from __future__ import annotations

from pathlib import Path

from . import rulegraph
from .data import corpora_part, costs_part, duration, measured, provenance_part, recipes_part, tasks_part
from .evidence import clusters_part, curves_part, layers_part
from .growth import growth_part
from .markup import Markup, figure, join, section, tag
from .material import Material
from .studies import BELOW, MARKS, NEAR, StudyTable, gain_of, study_part
from .tables import OVER_TWIN

STYLE = Path(__file__).with_name("style.css")
TITLE = "Speech self-supervision for music: report of this run"
MINIATURE = (
    "This is a miniature run: synthesised music, small encoders, few updates. It shows that every step works; its "
    "scores say nothing about music, and the paper's values stand beside them only to show where they go."
)
READING = (
    "Scores are times 100: mean over probe seeds ± standard deviation, below it the 95 % bootstrap interval over test "
    "items, then the value the paper prints.",
    "Floors are what needs no learning: an untrained encoder, MFCC statistics, a constant input, and the best answer "
    "that ignores the input. The best model and the best floor of a column are bold.",
    f"“{MARKS[BELOW]}”: the mean is at or below the best floor. “{MARKS[NEAR]}”: the mean is above it but the interval "
    "reaches it.",
    "The paper's beat F is compared at 70 ms. Its text says 20 ms, but an activation that knows nothing scores 32 to "
    "34 at 70 ms on its test set, and its Music2Vec rows are 33 to 34.",
    "On the paper's key test set, always answering C minor scores 15.8.",
    "The average is that of the paper: nine tasks, MTT and EmoMusic each averaged over their two metrics first. It "
    "gives the printed averages but for one (crop5s: 61.74, printed 61.8).",
)


def render(material: Material) -> str:
    """Return the page as HTML text."""
    parts = sections(material)
    contents = tag("nav", *(tag("a", title, href=f"#{anchor}") for anchor, title, _ in parts), aria_label="Contents")
    banner = tag("p", MINIATURE, class_="banner") if material.is_miniature else None
    header = tag("header", tag("h1", TITLE), provenance_part(material.provenance), banner)
    main = tag("main", *(section(anchor, title, content) for anchor, title, content in parts))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", TITLE),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', header, contents, main), lang='en')}\n"


def sections(material: Material) -> list[tuple[str, str, Markup]]:
    """Return (anchor, title, content) of every section, in the order of the page."""
    graph = rulegraph.draw(material.rulegraph)
    studied = [part for table in material.studies for part in (study_part(table), growth_part(table, material.recipes))]
    drawn = figure("Each rule once; what a longer way implies is left out.", tag("div", graph, class_="scroll"))
    return [
        ("summary", "Summary", summary_part(material)),
        ("studies", "Studies", join(studied)),
        ("training", "Pre-training", curves_part(material.curves)),
        ("layers", "Layer weights", layers_part(material.metrics)),
        ("clusters", "Clusters", clusters_part(material.kmeans, material.quality)),
        ("corpora", "Corpora", corpora_part(material.manifests, material.quarantines)),
        ("tasks", "Tasks", tasks_part(material.tasks)),
        ("costs", "Costs", costs_part(material.benchmarks, material.planned)),
        ("rules", "Rules", drawn if graph else Markup()),
        ("recipes", "Recipes", recipes_part(material.recipes)),
    ]


def summary_part(material: Material) -> Markup:
    """Return the totals as tiles, a sentence for each study, and how to read the tables."""
    models = {model for table in material.studies for model in table.models if table.has_run(model)}
    tasks = {one["task"] for one in material.metrics}
    seconds = sum(measured(job, "s") for jobs in material.benchmarks.values() for job in jobs)
    aside = sum(map(len, material.quarantines.values()))
    tiles = [
        (f"{len(models):,}", "models probed"),
        (f"{len(tasks):,}", "tasks"),
        (f"{len(material.metrics):,}", "probes, floors included"),
        (f"{len(material.curves):,}", "encoders trained"),
        (f"{aside:,}", "audio files set aside") if material.quarantines else None,
        (duration(seconds), "of jobs") if material.benchmarks else None,
    ]
    shown = (tag("div", tag("b", tile[0]), tag("span", tile[1])) for tile in tiles if tile)
    findings = tag("ul", *(tag("li", *finding(table)) for table in material.studies))
    guide = tag("div", tag("h3", "How to read the tables"), tag("ul", *(tag("li", line) for line in READING)))
    return join([tag("div", *shown, class_="tiles"), findings if material.studies else None, guide])


def finding(table: StudyTable) -> list[Markup | str]:
    """Return how many cells of a study mean something."""
    verdicts = table.verdicts()
    link = tag("a", table.name, href=f"#study-{table.name}")
    ran, declared = table.probes()
    text = f": {ran:,} of {declared:,} declared probes ran"
    if verdicts:
        below, near = verdicts.count(BELOW), verdicts.count(NEAR)
        text += (
            f"; of their {len(verdicts):,} scores {len(verdicts) - below - near:,} stand clear of every floor, "
            f"{near:,} reach one with their interval, {below:,} are at or below it"
        )
        gains = [gain for m in table.models for c in table.columns if (gain := gain_of(table, m, c, OVER_TWIN))]
        if gains:
            text += (
                f"; {sum(gain.low > 0 for gain in gains):,} are better than the untrained twin's, "
                f"{sum(gain.high < 0 for gain in gains):,} worse (paired 95 % intervals without 0)"
            )
    return [link, f"{text}."]
