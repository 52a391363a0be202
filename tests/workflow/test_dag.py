"""The DAG as Snakemake sees it: what a target needs, and what it does not."""

import itertools
import re
import subprocess
import sys

import pytest

from musicssl.artefacts.rulegraph import parse_rulegraph
from musicssl.config.catalogue import Catalogue

BRANCHES = 12
BEYOND = 6  # models no table of the paper has
UNTRAINED = 2
FLOORS = 4
BASELINES = 2
DATASETS = 7


def test_the_whole_paper_is_planned_with_no_data_on_disk(workflow, paper) -> None:
    jobs = workflow.jobs()
    shards = paper["corpora"]["corpus-base"]["num_shards"]
    assert (jobs["pretrain"], jobs["build_untrained"]) == (BRANCHES, UNTRAINED)
    assert jobs["import_model"] == BASELINES
    assert jobs["crop_audio"] == shards
    assert jobs["extract_features"] == 3 * shards
    assert jobs["assign_labels"] == 4 * shards
    assert jobs["fit_kmeans"] == 4
    assert jobs["prepare_task"] == 13
    assert jobs["tabulate_study"] == 3
    table1 = (4 + FLOORS) * 13
    more = (BRANCHES - 2) * 9
    assert jobs["probe"] == jobs["score_probe"] == table1 + more
    assert jobs["list_recordings"] == DATASETS
    assert jobs["embed_frames"] == 4 + FLOORS + BRANCHES - 2
    blocks = 2 + 16 + 1 + 1 + 1 + 4 + 1  # MagnaTagATune, MTG-Jamendo, NSynth in several
    assert jobs["embed_pooled"] == (4 + FLOORS) * blocks + (BRANCHES - 2) * (blocks - 16)  # table 1 alone asks for MTG


def test_nothing_waits_for_a_checkpoint(root) -> None:
    for path in [root / "Snakefile", *(root / "rules").glob("*.smk")]:
        assert not re.search(r"^\s*checkpoint |checkpoints\.", path.read_text(), re.M)


@pytest.mark.parametrize("overlay", [[], ["--configfile", "config/miniature.yaml"]], ids=["paper", "miniature"])
def test_every_branch_is_a_target_of_its_own(workflow, miniature, overlay) -> None:
    folder = "results/miniature" if overlay else "results/paper"
    targets = [f"{folder}/branches/{model}/summary.csv" for model in Catalogue(miniature).trained]
    jobs = workflow.jobs(*targets, *overlay)
    assert jobs["tabulate_branch"] == BRANCHES + BEYOND
    assert (jobs["pretrain"], jobs["build_untrained"]) == (BRANCHES + BEYOND, UNTRAINED)


def test_one_branch_builds_just_what_it_needs(workflow) -> None:
    target = "results/miniature/branches/music2vec-vanilla/summary.csv"
    jobs = workflow.jobs("--configfile", "config/miniature.yaml", "--", target)
    assert (jobs["pretrain"], jobs["build_untrained"]) == (1, 1)  # itself and its untrained baseline
    assert jobs["probe"] == 4 * 13  # itself and three floors
    assert (jobs["embed_pooled"], jobs["embed_frames"]) == (4 * DATASETS, 4)
    assert not {"fit_kmeans", "assign_labels", "extract_features"} & set(jobs)


def test_tasks_of_one_view_share_their_states_whatever_is_selected(workflow, tmp_path) -> None:
    overlay = tmp_path / "some.yaml"
    overlay.write_text("run: {tasks: [mtg-genre]}\n"
                       "tasks: {gtzan-genre-tuned: {base: gtzan-genre, protocol: tuned}}\n"
                       "datasets: {gtzan: {num_blocks: 3}}\n")  # fmt: skip
    config = ["--configfile", "config/miniature.yaml", str(overlay), "--"]

    def jobs(*tasks: str) -> dict[str, int]:
        return workflow.jobs(*config, *(f"results/miniature/probes/mfcc/{task}/metrics.json" for task in tasks))

    found = jobs("mtg-genre", "mtg-top50")
    assert (found["embed_pooled"], found["prepare_task"], found["list_recordings"], found["probe"]) == (1, 2, 1, 2)
    found = jobs("gtzan-genre", "gtzan-rhythm", "gtzan-genre-tuned")
    assert (found["embed_pooled"], found["embed_frames"], found["prepare_task"], found["probe"]) == (3, 3, 3, 3)
    assert "embed_frames" not in jobs("gtzan-genre")
    assert "embed_pooled" not in jobs("gtzan-rhythm")


def test_iteration_two_unrolls_from_config(workflow) -> None:
    target = "results/miniature/models/hubert-k2000-iter2/encoder/config.json"
    jobs = workflow.jobs("--configfile", "config/miniature.yaml", "--", target)
    assert jobs["pretrain"] == 2
    assert jobs["fit_kmeans"] == 2
    assert jobs["extract_features"] == 2 * 2  # two feature sets of two shards


def test_a_typo_stops_snakemake_with_every_problem(workflow, tmp_path) -> None:
    overlay = tmp_path / "typo.yaml"
    overlay.write_text("models: {hubert-base: {temprature: 3}}\nlabels: {mfcc39-k500: {features: mfcc-39}}\n")
    done = workflow.snakemake("-n", "--configfile", str(overlay), check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "models.hubert-base.temprature: unknown key; did you mean 'temperature'?" in said
    assert "labels.mfcc39-k500.features: no features entry 'mfcc-39'; did you mean 'mfcc39'?" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_the_graph_of_rules_is_whole_and_the_same_twice(workflow) -> None:
    """At the paper's scale iteration 2 makes a circle of rules; Snakemake's own edges are counted by their arrows."""
    target = "results/paper/report/rulegraph.mmd"
    texts = []
    for _ in range(2):
        workflow.snakemake("--quiet", "all", "--forcerun", "draw_rulegraph", "--", target)
        texts.append((workflow.folder / target).read_text())
    assert texts[0] == texts[1]
    assert sorted(path.name for path in (workflow.folder / target).parent.iterdir()) == ["config.json", "rulegraph.mmd"]
    needs = parse_rulegraph(texts[0], target).needs
    assert sum(map(len, needs.values())) == texts[0].count("-->") > 30
    for rule, needed in itertools.pairwise(["pretrain", "assign_labels", "export_model", "pretrain"]):
        assert needed in needs[rule]


def test_lint_finds_nothing(root) -> None:
    command = [sys.executable, "-m", "snakemake", "--lint", "--configfile", "config/miniature.yaml"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", ["local", "slurm"])
def test_profiles_are_understood(workflow, root, profile) -> None:
    flags = ["--workflow-profile", str(root / "config/profiles" / profile)]
    target = "results/miniature/audio/miniature/manifest.json"
    flags += ["--software-deployment-method", "env-modules"]  # conda is asked for its version even by a dry-run
    workflow.snakemake("-n", *flags, "--configfile", "config/miniature.yaml", "--", target)


def test_evidence_probes_two_runs_all_along_beside_their_baselines(workflow) -> None:
    evidence = ("--configfile", "config/miniature.yaml", "config/evidence.yaml")
    jobs = workflow.jobs(*evidence)
    assert (jobs["pretrain"], jobs["export_model"], jobs["build_untrained"]) == (2, 7, UNTRAINED)
    assert jobs["probe"] == (7 + FLOORS) * 4
    assert jobs["render_report"] == 1
    music = "corpora={'miniature': {'more_roots': {'yours': 'elsewhere'}}}"
    assert workflow.jobs(*evidence, "--config", music) == jobs


def test_models_beyond_the_paper_are_targets_like_any_other(workflow) -> None:
    jobs = workflow.jobs(
        "--configfile", "config/miniature.yaml", "--config", "run={'branches': 'all', 'studies': ['beyond']}"
    )
    assert jobs["tabulate_study"] == 1
    assert jobs["pretrain"] == 9
    assert jobs["fit_kmeans"] == 4  # MFCC, chroma, constant-Q and MFCC with chroma
