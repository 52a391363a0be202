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
        ("features", "hubert-k2000-mfcc39-l6", {"layer": 13}, "layer: found 13, expected 1 to 12, the lay"),
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
        ("tasks", "gs-key", {"metrics": ["accuracy"]}, "tasks.gs-key.metrics: no 'accuracy' for key"),
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


def test_wrong_protocols_and_split_datasets_are_told(paper: dict) -> None:
    paper["tasks"]["mtt"]["protocol"] = "tunde"
    paper["protocols"]["tuned"]["learning_rates"] = "all"
    paper["tasks"]["gtzan-rhythm"]["root"] = "elsewhere"
    found = problems(paper)
    assert "tasks.mtt.protocol: no protocols entry 'tunde'; did you mean 'tuned'?" in found
    assert any(text.startswith("protocols.tuned.learning_rates: found 'all'") for text in found)
    del paper["tasks"]["mtt"]["protocol"], paper["protocols"]["tuned"]["learning_rates"]
    assert problems(paper) == [
        "tasks.gtzan-rhythm.root: found 'elsewhere', but gtzan-genre reads the same dataset elsewhere"
    ]
