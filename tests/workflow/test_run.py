"""The workflow, run for real on a tiny configuration: reruns, reuse, repeatability, survival of kills."""

import filecmp
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from musicssl.artefacts.ledger import read_record, records
from musicssl.artefacts.lock import take
from musicssl.artefacts.scores import read_scores
from musicssl.artefacts.store import content_of
from musicssl.provenance.verify import verify
from musicssl.runtime import UserError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("results/miniature")
TINY = ["--configfile", "config/miniature.yaml", str(ROOT / "tests/workflow/tiny.yaml")]
LOCAL = ["--workflow-profile", str(ROOT / "config/profiles/local")]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(make_workflow):
    """Return a workflow that has built its report."""
    workflow = make_workflow()
    workflow.snakemake(*LOCAL, *TINY)
    return workflow


def compared(one: Path, other: Path) -> list[str]:
    """Return result files (not logs, timings or provenance) whose bytes differ between two runs."""
    names = ("*.npy", "*.npz", "*.pt", "*.safetensors", "*.jsonl", "*.json", "*.csv")
    files = [p.relative_to(one) for name in names for p in one.rglob(name)]
    skip = {"benchmarks", "logs", "resume", "ledger", ".lock.json"}
    files = [f for f in files if not skip & set(f.parts)]
    assert len(files) > 50
    return [str(f) for f in files if not (other / f).exists() or not filecmp.cmp(one / f, other / f, shallow=False)]


def test_the_report_is_one_self_contained_page(finished) -> None:
    page = (finished.folder / RESULTS / "report/index.html").read_text()
    assert "hubert-k500-mfcc39" in page
    assert "random-hubert" in page
    for outside in ('src="http', "<link", "@import", 'href="http'):
        assert outside not in page


def test_the_encoder_loads_as_a_hugging_face_model(finished) -> None:
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    folder = finished.folder / RESULTS / "models/hubert-k500-mfcc39/encoder"
    model = AutoModel.from_pretrained(folder).eval()
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    assert extractor.do_normalize is False
    with torch.no_grad():
        states = model(torch.zeros(1, 16000), output_hidden_states=True).hidden_states
    assert [tuple(state.shape) for state in states] == [(1, 49, 96)] * 4


def test_training_logs_as_often_as_configured(finished) -> None:
    lines = (finished.folder / RESULTS / "models/hubert-k500-mfcc39/metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["update"] for row in rows if row["split"] == "train"] == [2, 4, 6, 8, 10, 12]
    assert [row["update"] for row in rows if row["split"] == "valid"] == [6, 12]


def test_frames_are_gone_and_pooled_states_stay(finished) -> None:
    folder = finished.folder / RESULTS / "states/mfcc"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))
    assert found == [
        f"{name}/whole/000.{end}" for name in ("gtzan", "nsynth") for end in ("json", "npy", "recipe.json")
    ]


def test_nothing_is_left_to_do(finished) -> None:
    assert finished.jobs(*TINY) == {}


def test_another_branch_reuses_everything_shared(finished) -> None:
    target = str(RESULTS / "branches/music2vec-vanilla/summary.csv")
    jobs = finished.jobs(*TINY, "--", target)
    assert jobs == {"pretrain": 1, "export_model": 1, "embed_pooled": 2, "embed_frames": 1, "probe": 3,
                    "score_probe": 3, "tabulate_branch": 1}  # fmt: skip


def overlaid(finished, tmp_path: Path, values: dict) -> dict[str, int]:
    overlay = tmp_path / "change.yaml"
    overlay.write_text(yaml.safe_dump(values))
    return finished.jobs(*TINY, str(overlay))


TRAINED = {"pretrain": 1, "export_model": 1, "embed_pooled": 2, "embed_frames": 1, "probe": 3, "score_probe": 3}


def probed(number: int, **jobs: int) -> dict[str, int]:
    """Return jobs with so many probes, each scored."""
    return jobs | {"probe": number, "score_probe": number}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"models": {"hubert-k500-mfcc39": {"seed": 5}}},
            TRAINED,
            id="one value of a model",
        ),
        pytest.param(
            {"models": {"hubert-k500-mfcc39": {"optimizer": {"betas": [0.98, 0.9]}}}},
            TRAINED,
            id="two values swapped",
        ),
        pytest.param(
            {
                "views": {"short": {"window_s": 2.0, "min_s": 1.0, "rows": "window"}},
                "tasks": {"nsynth": {"view": "short"}},
            },
            probed(5, embed_pooled=5),
            id="another view of a task",
        ),
        pytest.param({"views": {"whole": {"window_s": 2.0}}}, probed(10, embed_pooled=10), id="one value of a view"),
        pytest.param({"run": {"tasks": ["nsynth-pitch"]}}, {}, id="a task less"),
        pytest.param(
            {"run": {"tasks": ["nsynth-pitch", "nsynth-instrument", "gtzan-genre", "gtzan-rhythm"]}},
            probed(5, prepare_task=1),
            id="a task more that shares a view",
        ),
        pytest.param(
            {"tasks": {"gtzan-rhythm": {"probe": {"beats": {"neighbors": 0.5}}}}},
            probed(5, embed_frames=5),  # states of frames are gone as soon as they were used
            id="what only the probe of beats reads",
        ),
        pytest.param(
            {"tasks": {"gtzan-rhythm": {"probe": {"dropout": 0.5}}}},
            probed(5, embed_frames=5),
            id="one value of the probe of beats",
        ),
        pytest.param(
            {"tasks": {"nsynth-pitch": {"probe": {"dropout": 0.3}}}},
            probed(5),
            id="one value of a probe",
        ),
        pytest.param(
            {"tasks": {"clip": {"protocol": "tuned"}}},
            probed(15, embed_frames=5),
            id="another protocol",
        ),
        pytest.param(
            {"protocols": {"paper": {"num_bootstraps": 60}}, "tasks": {"clip": {"probe": {"num_bootstraps": 60}}}},
            {"score_probe": 15},
            id="how often scores are resampled",
        ),
        pytest.param({"models": {"music2vec-span5": {"seed": 5}}}, {}, id="an entry nobody uses"),
        pytest.param({"models": {"pretraining": {"checkpoint_every": 3}}}, {}, id="how often to save"),
    ],
)
def test_a_change_reruns_exactly_its_dependants(finished, tmp_path, change, expected) -> None:
    jobs = overlaid(finished, tmp_path, change)
    tables = {"tabulate_study", "render_report", "all", "write_config", "draw_rulegraph"}
    assert {rule: count for rule, count in jobs.items() if rule not in tables} == expected


def test_a_temperature_leaves_the_untrained_baselines_alone(finished, tmp_path) -> None:
    jobs = overlaid(finished, tmp_path, {"models": {"hubert-base": {"temperature": 0.5}}})
    assert (jobs["pretrain"], jobs["export_model"], jobs["probe"]) == (1, 1, 3)
    assert "build_untrained" not in jobs


def test_a_fix_in_a_metric_scores_stored_predictions_again_and_nothing_else(finished, tmp_path) -> None:
    """The same results seen by a copy of the code in which the metrics' version is raised."""
    for name in ("config", "rules", "envs", "Snakefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    metrics = tmp_path / "workflow/scripts/musicssl/probing/metrics.py"
    metrics.write_text(metrics.read_text().replace("\nVERSION = 1\n", "\nVERSION = 2\n"))
    code = {"PYTHONPATH": str(tmp_path / "workflow/scripts")}
    arguments = ["--snakefile", str(tmp_path / "Snakefile"), "--quiet", "rules", "--dry-run", *LOCAL, *TINY]
    done = subprocess.run(
        [*SNAKEMAKE, "--cores", "2", *arguments], cwd=finished.folder, env=finished.environment() | code,
        capture_output=True, text=True,
    )  # fmt: skip
    counts = dict(re.findall(r"^(\w+)\s+(\d+)$", done.stdout + done.stderr, re.M))
    assert counts["score_probe"] == "15", done.stderr[-2000:]
    assert not {"probe", "embed_pooled", "embed_frames", "pretrain", "prepare_task"} & set(counts)


def headers(results: Path) -> dict[Path, dict]:
    found = [path for path in results.rglob("*recipe.json") if "data" not in path.relative_to(results).parts]
    return {path.relative_to(results): json.loads(path.read_text()) for path in found}


def test_every_artefact_has_one_recipe_that_its_job_wrote(finished, tmp_path) -> None:
    results = finished.folder / RESULTS
    found = headers(results)
    owners: dict[Path, list[Path]] = {}
    for path, header in found.items():
        for name in header["contents"]:
            owners.setdefault(path.parent / name, []).append(path)
    assert {len(one) for one in owners.values()} == {1}
    aside = ("ledger", "logs", "benchmarks", "data", "report")
    files = [path.relative_to(results) for path in results.rglob("*") if path.is_file()]
    files = {path for path in files if path.parts[0] not in aside and not path.name.startswith(".lock")}
    assert files == set(owners) | set(found)
    wrote = [json.loads(path.read_text()) for path in (results / "ledger").rglob("*.json")]
    for path in found:
        (job,) = [one for one in wrote if str(path) in one["outputs"]]
        assert (job["status"], job["recipe"]) == ("ok", found[path]["recipe"]["digest"])


def test_editing_the_configuration_changes_no_recipe_of_what_is_there(finished, tmp_path) -> None:
    before = headers(finished.folder / RESULTS)
    overlaid(finished, tmp_path, {"models": {"hubert-base": {"temperature": 0.5}}})
    assert headers(finished.folder / RESULTS) == before


def test_every_attempt_of_every_job_has_a_record(finished) -> None:
    found = [read_record(path) for path in records(finished.folder / RESULTS)]
    rules = {record.rule for record in found}
    assert {"scan_corpus", "fit_kmeans", "pretrain", "embed_frames", "probe", "score_probe", "render_report"} <= rules
    assert {record.status for record in found} <= {"ok", "failed"}
    (training,) = [record for record in found if record.rule == "pretrain" and record.names == ["hubert-k500-mfcc39"]]
    (stretch,) = training.facts["stretches"]
    assert (stretch["from"], stretch["to"], stretch["precision"], stretch["processes"]) == (0, 12, "fp32", 1)
    for record in found:
        assert record.about["commit"]
        assert record.about["sources"]["job.py"]


def test_verify_says_that_everything_holds(finished) -> None:
    found = verify(finished.folder / RESULTS)
    assert found.problems == []
    assert found.num_artefacts > 50
    assert found.root == verify(finished.folder / RESULTS, quick=True).root


def tampered(results: Path, how: str) -> str:
    """Do something to a tree and return the file that must be named."""
    labels, model = results / "labels/mfcc39-k500/miniature", results / "models/hubert-k500-mfcc39"
    probe = results / "probes/mfcc/nsynth-pitch"
    if how == "byte":
        path = results / "audio/miniature/shards/000.npy"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif how == "cut":
        path = model / "checkpoint.pt"
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "swapped":
        path = labels / "000.npy"
        content = path.read_bytes()
        path.write_bytes((labels / "001.npy").read_bytes())
        (labels / "001.npy").write_bytes(content)
    elif how == "missing":
        path = probe / "predictions.npz"
        path.unlink()
    elif how == "foreign":
        path = results / "states/notes.txt"
        path.write_text("mine")
    elif how == "seed":
        path = model / "recipe.json"
        path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    elif how == "header cut":
        path = model / "recipe.json"
        path.write_text(path.read_text()[:-100])
    elif how == "record cut":
        path = results / "ledger/pretrain/hubert-k500-mfcc39/001.json"
        path.write_text(path.read_text()[:-100])
    else:  # a mean that its predictions do not give, with a header and record that agree with it
        path = probe / "metrics.json"
        scores = read_scores(path)
        mean = scores.metrics["accuracy"].mean
        path.write_text(path.read_text().replace(f'"mean": {mean}', f'"mean": {mean + 0.01}'))
        written = json.loads((probe / "metrics.recipe.json").read_text())
        written["contents"]["metrics.json"] = content_of(path)._asdict()
        (probe / "metrics.recipe.json").write_text(json.dumps(written))
    return path.relative_to(results).as_posix()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("byte", "edited or damaged"),
        ("cut", "half copied or edited"),
        ("swapped", "swapped: it is labels/mfcc39-k500/miniature/001.npy"),
        ("missing", "missing"),
        ("foreign", "foreign"),
        ("seed", "its recipe was edited"),
        ("header cut", "damaged"),
        ("record cut", "damaged"),
        ("mean", "accuracy: .* its predictions give"),
    ],
)
def test_verify_names_what_was_tampered_with(finished, tmp_path, how: str, words: str) -> None:
    results = tmp_path / "results"
    shutil.copytree(finished.folder / RESULTS, results, ignore=shutil.ignore_patterns("data", "logs"))
    name = tampered(results, how)
    found = [problem.what for problem in verify(results).problems if problem.file == name]
    assert any(re.search(words, what) for what in found), found


def test_replaced_audio_is_noticed_and_what_depends_on_it_reruns(finished) -> None:
    """The name stays, and so do size and time; only a scan that is asked for looks at the music."""
    music = sorted((finished.folder / RESULTS / "data/corpus").rglob("*.wav"))[0]
    content, stat = music.read_bytes(), music.stat()
    listing = finished.folder / RESULTS / "audio/miniature/listing/files.csv"
    try:
        damaged = bytearray(content)
        damaged[-1] ^= 1
        music.write_bytes(damaged)
        os.utime(music, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        before = listing.read_text()
        finished.snakemake(*LOCAL, *TINY, "--forcerun", "scan_corpus", "--", str(listing.relative_to(finished.folder)))
        assert listing.read_text() != before
        jobs = finished.jobs(*TINY)
        assert {"crop_audio", "extract_features", "fit_kmeans", "assign_labels", "pretrain"} <= set(jobs)
    finally:
        music.write_bytes(content)
        os.utime(music, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        finished.snakemake(*LOCAL, *TINY, "--forcerun", "scan_corpus", "--", str(listing.relative_to(finished.folder)))
        assert finished.jobs(*TINY) == {}


def test_killed_anywhere_a_run_goes_on_to_the_same_bytes(finished, make_workflow) -> None:
    """Against an undisturbed run in another folder, so this is also where two runs give the same bytes."""
    workflow = make_workflow()
    command = [*SNAKEMAKE, "--cores", "2", *LOCAL, *TINY]
    env = workflow.environment()
    draw = random.Random(0)
    for _ in range(4):
        run = subprocess.Popen(
            command, cwd=workflow.folder, env=env, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(draw.uniform(4, 16))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    last = subprocess.run(command, cwd=workflow.folder, env=env, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr[-5000:]
    assert compared(finished.folder / RESULTS, workflow.folder / RESULTS) == []
    assert not list((workflow.folder / RESULTS).rglob("*.part"))


def test_two_runs_may_not_share_a_folder(finished) -> None:
    """Also with no option at all: the workflow takes the lock itself."""
    lock = take(finished.folder / RESULTS)
    try:
        second = finished.snakemake(*TINY, "--forcerun", "tabulate_study", check=False)
    finally:
        lock.release()
    assert second.returncode != 0
    assert f"another run (process {os.getpid()} on " in second.stderr
    assert "is writing here; wait for it, or stop it and try again" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_run_holds_the_lock_while_it_works(finished) -> None:
    wanted = str(RESULTS / "labels/mfcc39-k500/miniature/quality.json")
    command = [*SNAKEMAKE, "--cores", "2", *TINY, "--forcerun", "score_labels", "--", wanted]
    run = subprocess.Popen(command, cwd=finished.folder, env=finished.environment(), stderr=subprocess.DEVNULL)
    refused = 0
    while run.poll() is None:
        try:
            take(finished.folder / RESULTS).release()
        except UserError:
            refused += 1
        time.sleep(0.02)
    assert run.returncode == 0
    assert refused


def test_an_encoder_that_cannot_be_had_stops_nothing_else(finished, monkeypatch) -> None:
    """Offline and absent: one sentence, and what does not need it is built."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = "models={'hubert-speech': {'source': 'nobody/nothing'}}"
    summary = RESULTS / "branches/hubert-k500-mfcc39/summary.csv"
    wanted = [str(RESULTS / "models/hubert-speech/encoder/config.json"), str(summary)]
    done = finished.snakemake(*LOCAL, *TINY, "--config", source, "--", *wanted, check=False)
    assert done.returncode != 0
    assert (finished.folder / summary).exists()
    log = (finished.folder / RESULTS / "logs/import_model/hubert-speech.log").read_text()
    assert [line for line in log.splitlines() if "nobody/nothing" in line and "failed:" in line]
    assert "Traceback" not in log


def test_summary_stands_beside_its_floors(finished) -> None:
    import pandas as pd

    target = str(RESULTS / "branches/hubert-k500-mfcc39/summary.csv")
    finished.snakemake(*LOCAL, *TINY, "--", target)
    table = pd.read_csv(finished.folder / target)
    assert set(table.task) == {"nsynth-pitch", "gtzan-genre", "gtzan-rhythm"}
    assert table[["floor_constant", "floor_mfcc", "floor_random"]].notna().all().all()
    metrics = json.loads((finished.folder / RESULTS / "probes/constant/nsynth-pitch/metrics.json").read_text())
    pitch = table[table.task == "nsynth-pitch"].floor_constant.item()
    assert pitch == pytest.approx(metrics["metrics"]["accuracy"]["mean"], abs=1e-12)
