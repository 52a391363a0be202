"""What a configuration is refused for, and the sentence that says so."""

import copy

import pytest

from musicssl.config.catalogue import Catalogue
from musicssl.config.check import validate
from musicssl.config.inherit import ConfigError, leaves, merge
from musicssl.config.limits import LIMITS


def problems(config: dict) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Catalogue(config)
    return caught.value.problems


def test_every_problem_is_listed_once_with_the_nearest_name(paper: dict) -> None:
    paper["models"]["hubert-base"]["temprature"] = 3
    paper["models"]["music2vec-span5"]["masking"]["length"] = "five"
    paper["models"]["lost"] = {"base": "hubert-bas"}
    paper["models"]["bare"] = {"base": "hubert-base"}
    paper["labels"]["mfcc39-k500"]["features"] = "mfcc-39"
    paper["tsks"] = {}
    paper["run"] = {"branches": ["hubert-k500"], "studies": ["table1"]}
    assert problems(paper) == [
        "tsks: unknown table; did you mean 'tasks'?",
        "models.hubert-base.temprature: unknown key; did you mean 'temperature'?",
        "models.music2vec-span5.masking.length: found 'five'; input should be a valid integer, unable to parse string "
        "as an integer",
        "models.lost.base: no entry 'hubert-bas'; did you mean 'hubert-base'?",
        "models.bare.labels: missing",
        "labels.mfcc39-k500.features: no features entry 'mfcc-39'; did you mean 'mfcc39'?",
        "run.branches: no models entry 'hubert-k500'; did you mean 'hubert-k500-cqt'?",
    ]


@pytest.mark.parametrize(
    ("table", "entry", "change", "expected"),
    [
        ("models", "a", {"base": "b"}, "models.a.base: a -> b -> a is a circle"),
        ("models", "Bad_Name", {}, "models.Bad_Name: names are lower-case words"),
        ("models", "x", {"kind": "huberd"}, "models.x.kind: found 'huberd', expected one of hubert, data2vec"),
        ("models", "x", {"base": "music2vec-base", "crop_s": 31.0}, "models.x.crop_s: 31.0 is longer than the clips"),
        ("models", "x", {"base": "music2vec-base", "crop_s": 8.0}, "models.x.batch.group_s: 210.0 is not a multiple"),
        (
            "models",
            "x",
            {"base": "music2vec-base", "average_top_k": 13},
            "models.x.average_top_k: 13, but there are 12",
        ),
        (
            "models",
            "x",
            {"base": "hubert-base", "labels": "mfcc39-k500", "micro_batch_s": 20.0},
            "micro_batch_s: 20.0 is no",
        ),
        (
            "models",
            "x",
            {"base": "hubert-base", "labels": "mfcc39-k500", "micro_batch_s": 180.0},
            "micro_batch_s: 180.0 is",
        ),
        (
            "models",
            "x",
            {"base": "hubert-base", "labels": "mfcc39-k500", "updates": 3},
            "warmup_updates: 32000 is more",
        ),
        (
            "models",
            "music2vec-base",
            {"schedule": {"hold_fraction": 0.98}},
            "hold_fraction: 1.01 together is more than 1",
        ),
        ("models", "x", {"base": "music2vec-vanilla"}, "models.x: duplicate of models.music2vec-vanilla"),
        ("models", "x", {"kind": "snapshot", "of": "mfcc", "updates": 1}, "models.x.of: mfcc is of kind mfcc-floor"),
        ("models", "x", {"kind": "snapshot", "of": "music2vec-span", "updates": 1}, "did you mean 'music2vec-span5'?"),
        (
            "models",
            "x",
            {"kind": "snapshot", "of": "music2vec-vanilla", "updates": 400_000},
            "models.x.updates: 400000 is not between 0 and the 400000 of music2vec-vanilla",
        ),
        ("features", "hubert-k2000-mfcc39-l6", {"layer": 13}, "has 12 layers"),
        ("features", "hubert-k2000-mfcc39-l6", {"model": "hubert-k2000-iter2"}, "is a circle"),
        ("corpora", "music1000h", {"root": ""}, "corpora.music1000h.root: missing; name the folder"),
        ("features", "mfcc39", {"frame_rate_hz": 75}, "features.mfcc39.frame_rate_hz: 75 does not fit"),
        ("features", "mfcc39", {"sample_fraction": 0}, "features.mfcc39.sample_fraction: found 0.0, expected above 0"),
        (
            "features",
            "mfcc39-chroma",
            {"parts": {"croma": 1.0}},
            "parts: no features entry 'croma'; did you mean 'chroma'",
        ),
        ("features", "mfcc39-chroma", {"parts": {"chroma": 1.0}}, "parts.chroma: 50 frames a second, expected 100"),
        (
            "features",
            "mfcc39-chroma",
            {"parts": {"hubert-k2000-mfcc39-l6": 1.0}},
            "parts.hubert-k2000-mfcc39-l6: of kind layer, expected mfcc, chroma or cqt",
        ),
        ("tasks", "gs-key", {"metrics": ["accuracy"]}, "tasks.gs-key.metrics: unknown key"),
        ("studies", "table1", {"tasks": ["mttt"]}, "studies.table1.tasks: no tasks entry 'mttt'; did you mean 'mtt'?"),
    ],
)
def test_relations_between_entries_are_checked(
    paper: dict, table: str, entry: str, change: dict, expected: str
) -> None:
    config = copy.deepcopy(paper)
    if entry == "a":
        config["models"]["b"] = {"base": "a"}
    config[table][entry] = merge(config[table].get(entry, {}), change)
    assert any(expected in problem for problem in problems(config)), problems(config)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("models.pretraining.crop_s", 0, "found 0.0, expected above 0"),
        ("models.pretraining.log_every", 0, "found 0, expected at least 1"),
        ("models.pretraining.architecture.layer_drop", 1.0, "found 1.0, expected at least 0, below 1"),
        ("models.pretraining.optimizer.lr", -1.0, "found -1.0, expected above 0"),
        ("models.pretraining.optimizer.betas", [0.9, 1.0], "found 1.0, expected at least 0, below 1"),
        ("models.hubert-base.batch.group_s", 0, "found 0.0, expected above 0"),
        ("models.hubert-base.temperature", float("inf"), "found inf, expected above 0"),
        ("models.music2vec-span5.masking.length", 0, "found 0, expected at least 1"),
        ("models.music2vec-base.masking.prob", 1.5, "found 1.5, expected above 0, at most 1"),
        ("models.music2vec-base.ema.end", float("nan"), "found nan, expected 0 to 1"),
        ("corpora.music1000h.num_shards", 0, "found 0, expected at least 1"),
        ("labels.mfcc39-k500.num_clusters", 0, "found 0, expected at least 1"),
        ("tasks.mtt.probe.max_epochs", 0, "found 0, expected at least 1"),
        ("tasks.gtzan-rhythm.probe.beats.neighbors", 1.5, "found 1.5, expected 0 to 1"),
        ("tasks.gtzan-rhythm.probe.beats.crop_s", -1.0, "found -1.0, expected at least 0"),
        ("views.window5.window_s", -5.0, "found -5.0, expected at least 0"),
        ("datasets.gtzan.num_blocks", 0, "found 0, expected at least 1"),
    ],
)
def test_a_number_out_of_its_range_is_named_where_it_stands(
    paper: dict, path: str, value: float, expected: str
) -> None:
    *tables, key = path.split(".")
    place = paper
    for name in tables:
        place = place.setdefault(name, {})
    place[key] = value
    assert problems(paper) == [f"{path}: {expected}"]


def test_every_limit_is_on_a_number_that_exists(paper: dict, miniature: dict) -> None:
    """A misspelt key would limit nothing."""
    for noun, limits in LIMITS.items():
        known = set()
        for entry in validate(miniature if noun == "miniature" else paper)[noun].values():
            known |= {".".join(path) for path in leaves(entry)}
        assert {key for keys in limits.values() for key in keys.split()} <= known, noun


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("most", "found 'most', expected `all` or state numbers in ascending order, such as [0, 6]"),
        ([1.5], "found [1.5], expected `all` or state numbers in ascending order, such as [0, 6]"),
        ([6, 0], "found [6, 0], expected `all` or state numbers in ascending order, such as [0, 6]"),
        ([-1], "found [-1], expected `all` or state numbers in ascending order, such as [0, 6]"),
        ([], "found [], expected `all` or state numbers in ascending order, such as [0, 6]"),
        ([0, 13], "found 13, but hubert-k2000-mfcc39 has the states 0 to 12"),
    ],
)
def test_layers_that_no_probe_can_sum_are_refused(paper: dict, layers: object, found: str) -> None:
    paper["tasks"]["genre-layers"] = {"base": "gtzan-genre", "probe": {"layers": layers}}
    assert problems(paper) == [f"tasks.genre-layers.probe.layers: {found}"]


def test_wrong_protocols_are_told(paper: dict) -> None:
    paper["tasks"]["mtt"]["protocol"] = "tunde"
    paper["protocols"]["tuned"]["learning_rates"] = "all"
    found = problems(paper)
    assert "tasks.mtt.protocol: no protocols entry 'tunde'; did you mean 'tuned'?" in found
    assert any(text.startswith("protocols.tuned.learning_rates: found 'all'") for text in found)


ROWS = "expected a view with rows: frame, as beats need"
NO_FRAMES = "frames gives a row a frame, expected one with rows: recording or window"
WINDOWS = "expected rows: window and min_s equal to window_s, since each window is an item (items: window)"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"tasks": {"mtg": {"view": "windov30"}}},
            ["tasks.mtg.view: no views entry 'windov30'; did you mean 'window30'?"],
        ),
        ({"tasks": {"mtg": {"dataset": "mtg"}}}, ["tasks.mtg.dataset: no datasets entry 'mtg'"]),
        ({"tasks": {"mtt": {"dataset": "dataset"}}}, ["tasks.mtt.dataset: no datasets entry 'dataset'"]),
        (
            {"tasks": {"gtzan-rhythm": {"view": "whole"}}},
            [f"tasks.gtzan-rhythm.view: whole gives a row a recording, {ROWS}"],
        ),
        ({"tasks": {"nsynth": {"view": "frames"}}}, [f"tasks.nsynth.view: {NO_FRAMES}"]),
        (
            {"tasks": {"gs-key": {"view": "window30"}}},
            [f"tasks.gs-key.view: window30 gives a row a recording and keeps windows of 1.0 s, {WINDOWS}"],
        ),
        (
            {"tasks": {"vocalset": {"view": "window5"}}},
            [f"tasks.vocalset.view: window5 gives a row a window and keeps windows of 1.0 s, {WINDOWS}"],
        ),
        (
            {"tasks": {"gtzan-rhythm": {"probe": {"beats": None}}}},
            ["tasks.gtzan-rhythm.probe.beats: missing; expected crop_s, frame_times and neighbors"],
        ),
        (
            {"tasks": {"mtt": {"probe": {"beats": {"crop_s": 1.0, "frame_times": "start", "neighbors": 1.0}}}}},
            ["tasks.mtt.probe.beats: found for kind multilabel, expected none: only the probe of beats reads it"],
        ),
        (
            {"tasks": {"gtzan-rhythm": {"probe": {"beats": {"frame_times": "end"}}}}},
            ["tasks.gtzan-rhythm.probe.beats.frame_times: found 'end'; input should be 'center' or 'start'"],
        ),
        (
            {"tasks": {"gtzan-rhythm": {"probe": {"beats": {"neighbours": 0.5}}}}},
            ["tasks.gtzan-rhythm.probe.beats.neighbours: unknown key; did you mean 'neighbors'?"],
        ),
        (
            {"tasks": {"gs-key": {"items": "song"}}},
            ["tasks.gs-key.items: found 'song'; input should be 'recording' or 'window'"],
        ),
        ({"tasks": {"gs-key": {"root": "data"}}}, ["tasks.gs-key.root: unknown key"]),
        ({"protocols": {"paper": {"seeds": []}}, "run": {"tasks": ["mtt"]}}, None),
        ({"datasets": {"gtzan": {"root": ""}}}, ["datasets.gtzan.root: missing; name the folder of the dataset"]),
        (
            {"datasets": {"gtsan": {"base": "dataset", "root": "x"}}},
            [
                "datasets.gtsan.root: no adapter datasets/gtsan.py would read it; correct the name of the entry, or "
                "write one"
            ],
        ),
        (
            {"views": {"x": {"window_s": 0.0, "min_s": 0.0, "rows": "window"}}},
            [
                "views.x.rows: found window, but window_s is 0, which takes recordings whole; set window_s, or "
                "rows: recording"
            ],
        ),
        (
            {"views": {"x": {"window_s": 3.0, "min_s": 0.0, "rows": "frame"}}},
            ["views.x.window_s: found 3.0, expected 0: frames are those of whole recordings"],
        ),
        (
            {"views": {"x": {"window_s": 3.0, "min_s": 4.0, "rows": "window"}}},
            ["views.x.min_s: 4.0 is longer than window_s 3.0"],
        ),
        (
            {"views": {"x": {"window_s": 0.02, "min_s": 0.0, "rows": "window"}}},
            ["views.x.window_s: 0.02 is shorter than the 400 samples that a frame sees"],
        ),
        (
            {"views": {"x": {"window_s": 5.0, "min_s": 1.0, "rows": "window"}}},
            ["views.x: duplicate of views.window5; remove one of the two"],
        ),
    ],
    ids=lambda value: str(value)[:70],
)
def test_views_that_do_not_fit_are_told_where_they_stand(paper: dict, change: dict, expected: list[str] | None) -> None:
    found = problems(merge(paper, change))
    if expected is None:
        assert set(found) == {f"tasks.{name}.probe.seeds: may not be empty" for name in Catalogue(paper).names("tasks")}
        return
    assert [text.split("; there are")[0] for text in found] == expected
