"""The configuration: inheritance, sentences, digests."""

import copy
import dataclasses
import re
import subprocess
import sys

import pytest

from musicssl.config import catalogue as catalogue_module
from musicssl.config import recipes
from musicssl.config.catalogue import Catalogue
from musicssl.config.inherit import ConfigError, merge, resolve

TRAINED = {
    "hubert-k2000-mfcc39", "hubert-k2000-iter2", "hubert-k500-mfcc39", "hubert-k500-mfcc60", "music2vec-vanilla",
    "music2vec-span5", "music2vec-span15", "music2vec-prob50", "music2vec-prob80", "music2vec-step800k",
    "music2vec-target12", "music2vec-crop5s",
}  # fmt: skip
BEYOND = {
    "music2vec-curriculum", "hubert-k200-chroma", "hubert-k500-cqt", "hubert-k500-mfcc39-chroma",
    "hubert-k500-mfcc39-cqthead", "hubert-mfcc39-and-chroma",
}  # fmt: skip
FLOORS = {"random-hubert", "random-data2vec", "mfcc", "constant"}


def test_the_paper_has_twelve_branches_two_baselines_four_floors_and_thirteen_tasks(paper: dict) -> None:
    catalogue = Catalogue(paper)
    assert set(catalogue.trained) == TRAINED | BEYOND
    assert set(catalogue.floors) == FLOORS
    assert set(catalogue.names("models")) == TRAINED | BEYOND | FLOORS | {"hubert-speech", "data2vec-speech"}
    assert len(catalogue.names("tasks")) == 13
    assert [len(catalogue.entry("studies", f"table{i}")["tasks"]) for i in (1, 2, 3)] == [13, 9, 9]


@pytest.mark.parametrize(
    ("model", "key", "expected"),
    [
        ("hubert-k2000-mfcc39", "batch.global_s", 8 * 2 * 30.0),
        ("music2vec-vanilla", "batch.global_s", 8 * 7 * 30.0),
        ("music2vec-crop5s", "batch.global_s", 8 * 47 * 5.0),
        ("music2vec-span5", "masking.length", 5),
        ("music2vec-prob80", "masking.prob", 0.8),
        ("music2vec-step800k", "updates", 800_000),
        ("music2vec-target12", "average_top_k", 12),
    ],
)
def test_ablations_have_the_papers_values(paper: dict, model: str, key: str, expected: float) -> None:
    value = Catalogue(paper).entry("models", model)
    for part in key.split("."):
        value = value[part]
    assert value == expected


def test_layers_make_a_probe_of_their_own_on_the_same_states(paper: dict) -> None:
    assert {task["probe"]["layers"] for task in Catalogue(paper).entries["tasks"].values()} == {"all"}
    paper["protocols"]["marble-layers"] = {"base": "paper", "layers": list(range(1, 13))}
    paper["tasks"]["genre-layers"] = {"base": "gtzan-genre", "protocol": "marble-layers"}
    catalogue = Catalogue(paper)
    usual, other = (catalogue.recipe("probes", "mfcc", task) for task in ("gtzan-genre", "genre-layers"))
    assert usual["digest"] != other["digest"]
    assert usual["inputs"]["states"]["digest"] == other["inputs"]["states"]["digest"]


def test_mappings_merge_and_lists_replace() -> None:
    assert merge({"a": {"x": 1, "y": [1, 2]}}, {"a": {"y": [3]}}) == {"a": {"x": 1, "y": [3]}}


def test_resolve_tells_where_each_value_came_from(paper: dict) -> None:
    _, origin = resolve(paper["models"], "music2vec-span5")
    assert origin[("masking", "length")] == "music2vec-span5"
    assert origin[("masking", "prob")] == "music2vec-base"
    assert origin[("optimizer", "lr")] == "pretraining"


def test_a_digest_changes_with_what_decides_and_only_downstream(paper: dict) -> None:
    before = Catalogue(paper)
    changed = copy.deepcopy(paper)
    changed["features"]["mfcc39"]["num_mel_bins"] = 40
    after = Catalogue(changed)
    moved = {m for m in TRAINED if before.recipe("models", m)["digest"] != after.recipe("models", m)["digest"]}
    assert moved == {"hubert-k2000-mfcc39", "hubert-k2000-iter2", "hubert-k500-mfcc39"}


def test_a_digest_ignores_where_and_how_visibly_something_runs(paper: dict) -> None:
    before = Catalogue(paper)
    paper["corpora"]["music1000h"]["root"] = "elsewhere"
    paper["labels"]["kmeans"]["cluster"] = "slurm"
    paper["models"]["pretraining"].update(checkpoint_every=7, log_every=7, compile="layers")
    paper["datasets"]["nsynth"].update(root="elsewhere", num_blocks=9)
    after = Catalogue(paper)
    for noun, name in (("models", "music2vec-vanilla"), ("models", "hubert-k2000-iter2"), ("tasks", "nsynth-pitch")):
        assert before.recipe(noun, name)["digest"] == after.recipe(noun, name)["digest"]
    for catalogue in (before, after):
        assert catalogue.recipe("probes", "mfcc", "nsynth-pitch") == before.recipe("probes", "mfcc", "nsynth-pitch")


def test_combined_features_change_with_their_parts_and_scales(paper: dict) -> None:
    digests = []
    for table, change in (
        ("mfcc39-chroma", {}),
        ("chroma", {"compression": 1.0}),
        ("mfcc39-chroma", {"parts": {"mfcc39": 2.0}}),
    ):
        config = copy.deepcopy(paper)
        config["features"][table] = merge(config["features"][table], change)
        recipe = Catalogue(config).recipe("labels", "mfcc39-chroma-k500", "music1000h")
        digests.append(recipe["digest"])
        assert set(recipe["inputs"]["features"]["inputs"]) == {"corpus", "mfcc39", "chroma-100hz"}
    assert len(set(digests)) == 3


def test_swapping_two_values_changes_the_digest(paper: dict) -> None:
    before = Catalogue(paper).recipe("models", "music2vec-vanilla")["digest"]
    ema = paper["models"]["music2vec-base"]["ema"]
    ema["start"], ema["end"] = ema["end"], ema["start"]
    assert Catalogue(paper).recipe("models", "music2vec-vanilla")["digest"] != before


def test_recipes_are_builtins_and_rebuild_their_class(paper: dict) -> None:
    catalogue = Catalogue(paper)
    for name in catalogue.names("models"):
        entry = catalogue.recipe("models", name)["entry"]
        built = dataclasses.asdict(recipes.build_kind(entry))
        assert {key: built[key] for key in entry} == entry
        assert not set(entry) & set(catalogue.place("models", name))
    built = recipes.build_kind(catalogue.entry("models", "music2vec-vanilla"))
    assert isinstance(built, recipes.Data2vec)
    assert isinstance(built.schedule, recipes.TriStageSchedule)
    assert isinstance(built.architecture, recipes.Architecture)
    beats = recipes.build(recipes.Task, catalogue.entry("tasks", "gtzan-rhythm")).probe.beats
    assert beats == recipes.Beats(crop_s=10.0, frame_times="center", neighbors=1.0)
    assert recipes.build(recipes.Task, catalogue.entry("tasks", "mtt")).probe.beats is None


def test_snapshots_belong_to_the_run_they_are_taken_from(paper: dict) -> None:
    before = Catalogue(paper)
    for updates in (200_000, 100_000):
        paper["models"][f"early-{updates}"] = {"kind": "snapshot", "of": "music2vec-vanilla", "updates": updates}
    paper["studies"]["table3"]["models"].append("early-100000")
    catalogue = Catalogue(paper)
    assert catalogue.trained == before.trained
    assert catalogue.kept_updates("music2vec-vanilla") == [100_000, 200_000]
    assert catalogue.kept_updates("early-100000") == catalogue.kept_updates("mfcc") == []
    assert catalogue.run_of("early-100000") == catalogue.run_of("music2vec-vanilla") == "music2vec-vanilla"
    assert catalogue.floors_of("early-100000") == catalogue.floors_of("music2vec-vanilla")
    assert "early-100000" in catalogue.rows("table3")
    assert "early-100000" not in catalogue.selected("branches")
    digests = {catalogue.recipe("models", f"early-{n}")["digest"] for n in (100_000, 200_000)}
    vanilla = catalogue.recipe("models", "music2vec-vanilla")
    assert vanilla == before.recipe("models", "music2vec-vanilla")  # keeping one changes no training
    assert len(digests | {vanilla["digest"]}) == 3
    assert recipes.training_of(catalogue.recipe("models", "early-100000")) == vanilla
    assert recipes.training_of(vanilla) == vanilla


def test_iteration_two_may_start_from_a_snapshot(paper: dict) -> None:
    paper["models"]["early"] = {"kind": "snapshot", "of": "hubert-k2000-mfcc39", "updates": 250_000}
    paper["features"]["hubert-k2000-mfcc39-l6"]["model"] = "early"
    assert Catalogue(paper).recipe("models", "hubert-k2000-iter2")
    paper["models"]["early"]["of"] = "hubert-k2000-iter2"
    with pytest.raises(ConfigError, match="hubert-k2000-iter2 <- hubert-k2000-iter2 is a circle"):
        Catalogue(paper)


def test_no_recipe_says_where_something_runs(paper: dict) -> None:
    catalogue = Catalogue(paper)
    assert catalogue.place("corpora", "music1000h") == {
        "root": "data/music1000h", "more_roots": {}, "annotations": "", "hours": 1000, "licence": "",
    }  # fmt: skip
    assert catalogue.place("models", "music2vec-vanilla") == {
        "log_every": 200,
        "checkpoint_every": 2500,
        "compile": "nothing",
        "micro_batch_s": 0.0,
    }
    text = str(catalogue.recipe("probes", "hubert-k2000-iter2", "gs-key"))
    assert not re.search("'(root|num_blocks|licence|log_every|checkpoint_every|compile)'", text)


def test_floors_beside_a_branch_are_of_its_paradigm(paper: dict) -> None:
    catalogue = Catalogue(paper)
    assert catalogue.floors_of("hubert-k2000-iter2") == {
        "random": "random-hubert", "mfcc": "mfcc", "constant": "constant"
    }  # fmt: skip
    assert catalogue.floors_of("data2vec-speech")["random"] == "random-data2vec"
    baselines = catalogue.baselines("table1")
    assert set(catalogue.rows("table1")) - set(baselines) == set(catalogue.floors)
    assert baselines["hubert-k2000-mfcc39"] == baselines["hubert-speech"] == "random-hubert"
    assert baselines["music2vec-vanilla"] == "random-data2vec"


def test_the_miniature_overlays_numbers_only(paper: dict, miniature: dict) -> None:
    large, small = Catalogue(paper), Catalogue(miniature)
    assert large.names("models") == small.names("models")
    for name in large.names("models"):
        assert set(large.entry("models", name)) == set(small.entry("models", name))


@pytest.mark.parametrize("module", ["musicssl.config", "musicssl.config.recipes", "musicssl.config.catalogue"])
def test_parsing_the_snakefile_loads_nothing_heavy(module: str, root) -> None:
    code = f"import sys, {module}; print([m for m in ('numpy', 'torch', 'pandas', 'yaml') if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "workflow/scripts", capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "[]"


def run_config(root, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "musicssl", "config", *arguments]
    return subprocess.run(command, cwd=root / "workflow/scripts", capture_output=True, text=True)


def test_show_prints_values_with_their_origin(root) -> None:
    shown = run_config(root, "--configfile", str(root / "config/miniature.yaml"), "show", "music2vec-crop5s").stdout
    lines = {line.split()[0]: line for line in shown.splitlines()[1:]}
    assert lines["crop_s"].split()[1:3] == ["2.5", "#"]
    assert "models.music2vec-crop5s, config/miniature.yaml" in lines["crop_s"]
    assert "models.music2vec-base, config/models.yaml" in lines["masking.prob"]


def test_diff_prints_what_differs(root) -> None:
    out = run_config(root, "diff", "music2vec-vanilla", "music2vec-span5").stdout
    assert out.split() == ["masking.length", "10", "->", "5"]


def test_check_exits_with_the_problems(root, tmp_path) -> None:
    overlay = tmp_path / "typo.yaml"
    overlay.write_text("models: {hubert-base: {temprature: 3}}\n")
    run = run_config(root, "--configfile", str(overlay), "check")
    assert run.returncode == 1
    assert "models.hubert-base.temprature: unknown key; did you mean 'temperature'?" in run.stderr
    assert "Traceback" not in run.stderr
    assert run_config(root, "check").returncode == 0


def test_a_task_takes_the_values_of_the_protocol_it_names(paper: dict) -> None:
    before = Catalogue(paper)
    paper["tasks"]["gtzan-genre-tuned"] = {"base": "gtzan-genre", "protocol": "tuned"}
    after = Catalogue(paper)
    plain, tuned = (after.entry("tasks", name)["probe"] for name in ("gtzan-genre", "gtzan-genre-tuned"))
    assert plain["learning_rates"] == [1e-3]
    assert len(tuned["learning_rates"]) == 6
    assert {**plain, "learning_rates": None} == {**tuned, "learning_rates": None}
    for model in ("mfcc", "music2vec-vanilla"):
        one, two = (after.recipe("probes", model, name) for name in ("gtzan-genre", "gtzan-genre-tuned"))
        assert one["digest"] == before.recipe("probes", model, "gtzan-genre")["digest"] != two["digest"]
        assert one["inputs"]["task"]["digest"] == two["inputs"]["task"]["digest"]
        assert two["entry"]["probe"]["learning_rates"] == tuned["learning_rates"]


def test_one_grid_serves_every_task_and_model(paper: dict) -> None:
    paper["tasks"]["clip"]["protocol"] = "tuned"
    catalogue = Catalogue(paper)
    grids = {tuple(catalogue.entry("tasks", task)["probe"]["learning_rates"]) for task in catalogue.names("tasks")}
    assert grids == {tuple(paper["protocols"]["tuned"]["learning_rates"])}


def digests(config, *asked):
    catalogue = Catalogue(copy.deepcopy(config))
    return [catalogue.recipe(*one)["digest"] for one in asked]


STATES = [("states", "mfcc", "gtzan", "whole"), ("states", "mfcc", "gtzan", "frames"), ("states", "mfcc", "giantsteps",
                                                                                         "clip30")]  # fmt: skip
TASKS = [("tasks", name) for name in ("gtzan-genre", "gtzan-rhythm", "gs-key", "emomusic")]
PROBES = [("probes", "mfcc", name) for _, name in TASKS]


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({"run": {"tasks": ["gs-key"]}}, ""),
        ({"datasets": {"gtzan": {"num_blocks": 5}}}, ""),
        ({"tasks": {"gtzan-genre": {"options": {"min_usable_fraction": 0.5}}}}, "task genre, probe genre"),
        ({"tasks": {"gtzan-genre": {"probe": {"dropout": 0.5}}}}, "probe genre"),
        ({"tasks": {"gtzan-rhythm": {"probe": {"dropout": 0.5}}}}, "probe rhythm"),
        ({"tasks": {"gtzan-rhythm": {"probe": {"beats": {"neighbors": 0.5}}}}}, "probe rhythm"),
        ({"tasks": {"gtzan-rhythm": {"options": {"annotation": "B"}}}}, "task rhythm, probe rhythm"),
        ({"views": {"clip30": {"window_s": 12.0, "min_s": 12.0}}}, "states clip30, task key, probe key"),
        ({"views": {"window5": {"window_s": 10.0}}}, "probe emomusic"),  # its items are recordings whatever the windows
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_change_reaches_what_it_decides_and_no_more(paper, change, changed):
    names = ["states whole", "states frames", "states clip30", "task genre", "task rhythm", "task key", "task emomusic",
             "probe genre", "probe rhythm", "probe key", "probe emomusic"]  # fmt: skip
    asked = [*STATES, *TASKS, *PROBES]
    pairs = zip(names, digests(paper, *asked), digests(merge(paper, change), *asked))
    assert ", ".join(name for name, before, after in pairs if before != after) == changed


def test_the_code_that_decides_is_in_the_digest(paper, monkeypatch):
    """A metric is not: its scores are computed from stored predictions."""
    asked = [*STATES[:1], *TASKS[:1], *PROBES[:1]]
    before = digests(paper, *asked)
    real = catalogue_module.version
    for path, expected in (
        ("probing/embed.py", [True, False, True]),
        ("datasets/listing.py", [True, True, True]),
        ("datasets/gtzan.py", [False, True, True]),
        ("tasks/prepare.py", [False, True, True]),
        ("probing/fit.py", [False, False, True]),
        ("tasks/views.py", [True, False, True]),
        ("datasets/nsynth.py", [False, False, False]),
        ("probing/metrics.py", [False, False, False]),
    ):
        monkeypatch.setattr(catalogue_module, "version", lambda asked, path=path: real(asked) + (asked == path))
        assert [one != other for one, other in zip(before, digests(paper, *asked))] == expected, path


def test_states_lie_in_blocks_that_a_dataset_counts(paper: dict) -> None:
    catalogue = Catalogue(merge(paper, {"datasets": {"giantsteps": {"num_blocks": 2}}}))
    assert catalogue.states_files("mfcc", "gs-key", ".npy") == [
        "states/mfcc/giantsteps/clip30/000.npy", "states/mfcc/giantsteps/clip30/001.npy",
    ]  # fmt: skip
    assert catalogue.states_files("mfcc", "gtzan-rhythm", ".json") == ["states/mfcc/gtzan/frames/000.json"]
    assert catalogue.views("frame") == ["frames"]
    assert set(catalogue.views("recording", "window")) == set(catalogue.names("views")) - {"frames"}
    assert catalogue.root_of("gtzan") == {"root": "data/gtzan"}


def test_the_miniature_probes_both_paradigms_and_all_floors_on_all_13_tasks(miniature: dict) -> None:
    catalogue = Catalogue(miniature)
    rows = catalogue.rows("table1")
    assert len(catalogue.columns("table1")) == 13
    assert {catalogue.entry("models", name)["kind"] for name in rows if name not in FLOORS} == {"hubert", "data2vec"}
    assert set(rows) >= FLOORS
    assert {catalogue.entry("tasks", task)["dataset"] for task in catalogue.selected("tasks")} == set(
        catalogue.miniature["items"]
    )
