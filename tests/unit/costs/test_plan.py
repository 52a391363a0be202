"""The plan against the figures people already know, and against files on disk."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from musicssl.artefacts.ragged import RaggedShard, RaggedWriter
from musicssl.config.catalogue import Catalogue
from musicssl.config.inherit import ConfigError
from musicssl.config.load import load
from musicssl.costs import plan
from musicssl.targets.assign import write_labels
from musicssl.targets.features import extract_shard, extractor
from musicssl.targets.kmeans.executors import open_executor

HOURS = {"music1000h": 1000.0}
SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"


@pytest.fixture(scope="module")
def paper():
    return Catalogue(load()[0])


def stages(catalogue, name):
    return {(stage.rule, stage.name): stage for stage in plan.plan(catalogue, name, HOURS)}


def test_disk_of_1000_hours(paper):
    """16 kHz int16, MFCC at 100 Hz, layer 6 at 50 Hz, uint16 labels; a tenth of 99 % training clips is stored."""
    found = stages(paper, "hubert-k2000-iter2")
    expected = {
        ("crop_audio", "music1000h"): 115.2,
        ("extract_features", "mfcc39 on music1000h"): 56.16 * 0.099,
        ("assign_labels", "mfcc39-k2000 on music1000h"): 0.72,
        ("extract_features", "hubert-k2000-mfcc39-l6 on music1000h"): 276.5 * 0.099,
        ("assign_labels", "hubert-k2000-mfcc39-l6-k2000 on music1000h"): 0.36,
        ("export_model", "hubert-k2000-iter2"): 0.378,
    }
    for key, gigabytes in expected.items():
        assert found[key].disk_gb == pytest.approx(gigabytes, rel=0.01), key


def test_states_of_the_tasks(paper):
    """13 states of 768 in float16: 305,979 notes of two tasks, 55,701 tracks of four, 1,000 clips whose frames pass."""
    found = stages(paper, "table1")
    row_gb = 13 * 768 * 2 / 1e9
    for dataset, view, rows, jobs in (
        ("nsynth", "whole", 305_979, 4), ("mtg-jamendo", "window30", 55_701, 16), ("gtzan", "whole", 1_000, 1),
        ("emomusic", "window5", 9_000, 1), ("giantsteps", "clip30", 2_090 * 4, 1),
    ):  # fmt: skip
        stage = found["embed_pooled", f"music2vec-vanilla on {dataset} on {view}"]
        assert stage.disk_gb == pytest.approx(rows * row_gb, rel=1e-2)
        assert (stage.passing_gb, stage.jobs) == (0, jobs)
    frames = found["embed_frames", "music2vec-vanilla on gtzan on frames"]
    assert frames.passing_gb == pytest.approx(1_000 * 1499 * row_gb, rel=1e-3)
    assert frames.disk_gb == 0


def test_decoding_is_planned_beside_the_encoder(paper):
    """3,791 hours at 170 s a core second are 22 core-hours; eight of them hold a quick GPU for 2.8 hours."""
    quick = plan.plan(paper, "table1", HOURS, 1e18)
    stage = next(s for s in quick if s.name == "music2vec-vanilla on mtg-jamendo on window30")
    assert stage.gpu_h == pytest.approx(3_791 / 170 / 8, rel=1e-3)
    assert stage.cpu_h > 3_791 / 170
    slow = next(s for s in plan.plan(paper, "table1", HOURS, 1e12) if s.name == stage.name)
    assert slow.gpu_h > 10 * stage.gpu_h


@pytest.mark.parametrize(
    ("model", "flop", "rule"),
    [
        ("hubert-k2000-mfcc39", 9.6e18, "pretrain"),
        ("music2vec-vanilla", 4.1e19, "pretrain"),
        ("music2vec-step800k", 8.2e19, "pretrain"),
        ("hubert-k2000-iter2", 4.0e16, "assign_labels"),
    ],
)
def test_operations_of_the_paper(paper, model, flop, rule):
    """Counted independently from layer sizes (tests/golden/pretraining.md) times 400k updates, or 1000 hours."""
    found = [s.gpu_h for s in stages(paper, model).values() if s.rule == rule and s.gpu_h and model[:9] in s.name]
    assert found[-1] * 3600 * plan.GPU_FLOPS == pytest.approx(flop, rel=0.03)


def test_a_stage_shared_by_models_is_counted_once(paper):
    found = plan.plan(paper, "table2", HOURS)
    assert len({(stage.rule, stage.name) for stage in found}) == len(found)
    assert sum(stage.rule == "crop_audio" for stage in found) == 1
    assert sum(stage.rule == "pretrain" for stage in found) == 4


def test_a_floor_trains_nothing(paper):
    assert {stage.rule for stage in plan.plan(paper, "random-hubert", HOURS)} == {
        "build_untrained",
        "embed_pooled",
        "embed_frames",
    }
    assert plan.plan(paper, "constant", HOURS) == []


def test_hours_are_told_counted_or_expected(paper, tmp_path):
    assert plan.corpus_hours(paper, tmp_path, None) == HOURS
    folder = tmp_path / "audio" / "music1000h"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"hours": 12.5}')
    assert plan.corpus_hours(paper, tmp_path, None) == {"music1000h": 12.5}
    assert plan.corpus_hours(paper, tmp_path, 3.0) == {"music1000h": 3.0}
    paper.entry("corpora", "music1000h")["hours"] = 0.0
    with pytest.raises(ConfigError, match=r"corpora.music1000h.hours: missing; give --hours"):
        plan.corpus_hours(paper, tmp_path / "elsewhere", None)
    paper.entry("corpora", "music1000h")["hours"] = 1000.0


def test_records_of_the_same_jobs_stand_beside(paper, tmp_path):
    stage = plan.Stage(rule="assign_labels", name="a on b", jobs=2, cpu_h=1.0)
    folder = tmp_path / "assign_labels" / "a" / "b"
    folder.mkdir(parents=True)
    for shard, seconds in (("000", 1800), ("001", 5400)):
        (folder / f"{shard}.jsonl").write_text(f'{{"s": {seconds}, "max_rss": 1500.0}}\n')
    assert plan.measured(tmp_path, stage) == (2, 2.0, 1.5)
    row = plan.lines([stage], tmp_path)[2].split("  ")
    assert [cell.strip() for cell in row if cell.strip()][-2:] == ["2", "1.5"]


FEATURES = {
    "name": "mfcc39", "digest": "features", "inputs": {},
    "entry": {
        "kind": "mfcc", "num_ceps": 13, "num_mel_bins": 23, "frame_rate_hz": 100, "sample_fraction": 0.1,
        "sample_seed": 0,
    },
}  # fmt: skip


def write_audio(path, num_clips):
    with RaggedWriter(path, np.int16, (), "corpus", splits=["train"] * num_clips) as writer:
        noise = np.random.default_rng(0).integers(-9000, 9000, 480_000, dtype=np.int16)
        for i in range(num_clips):
            writer.append(f"a.wav#{i}", noise)
    return RaggedShard(path)


def test_disk_is_what_the_files_take(tmp_path):
    audio = write_audio(tmp_path / "audio.npy", 20)
    extract_shard(audio, tmp_path / "features.npy", FEATURES)
    centroids = np.zeros((2000, 39), np.float32)
    with open_executor("threads", 1) as executor:
        write_labels(
            extractor(FEATURES).clips(audio, range(20)), centroids, tmp_path / "labels.npy", "labels", executor
        )
    config = load()[0]
    config["corpora"]["music1000h"]["valid_fraction"] = 0.0
    planner = plan.Planner(Catalogue(config), {"music1000h": 20 * 30 / 3600}, plan.GPU_FLOPS)
    stages = (*planner.corpus("music1000h"), *planner.labels("mfcc39-k2000", "music1000h"))
    found = {stage.rule: stage.disk_gb * 1e9 for stage in stages}
    for rule, name in (("crop_audio", "audio"), ("extract_features", "features"), ("assign_labels", "labels")):
        assert (tmp_path / f"{name}.npy").stat().st_size == pytest.approx(found[rule], rel=0.01), rule


LABEL_ALL = """
import sys
from pathlib import Path
import numpy as np
from musicssl.artefacts.ragged import RaggedShard
from musicssl.targets.assign import write_labels
from musicssl.targets.kmeans.executors import open_executor
from musicssl.targets.features import extractor
from musicssl.runtime import peak_resident_bytes, use_threads
use_threads(1)
folder, recipe = Path(sys.argv[1]), eval(sys.argv[2])
audio = RaggedShard(folder / "audio.npy")
centroids = np.random.default_rng(0).standard_normal((2000, 39), dtype=np.float32)
with open_executor("threads", 1) as executor:
    write_labels(extractor(recipe).clips(audio, range(len(audio))), centroids, folder / "labels.npy", "x", executor)
print(peak_resident_bytes())
"""


def test_memory_of_labelling_is_flat_and_as_planned(tmp_path, paper):
    """20 and 220 clips of 30 s, in a fresh process each; only mapped audio may add up.

    Keeping the vectors of the 200 would add 94 MB; twice labelling the same differs by up to 25 MB of heap.
    """
    peaks = []
    for num_clips in (20, 220):
        write_audio(tmp_path / "audio.npy", num_clips)
        command = [sys.executable, "-c", LABEL_ALL, str(tmp_path), repr(FEATURES)]
        done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    grown = 200 * 480_000 * 2  # all of the further audio, mapped
    assert peaks[1] - peaks[0] < grown + 45e6
    stage = stages(paper, "hubert-k2000-mfcc39")["assign_labels", "mfcc39-k2000 on music1000h"]
    assert peaks[1] < stage.memory_gb * 1e9


def test_the_command_prints_a_table():
    command = [sys.executable, "-m", "musicssl", "plan", "hubert-k500-mfcc39", "--hours", "10", "--tflops", "50"]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["stage", "of", "jobs"]
    assert [line.split()[0] for line in lines[2:6]] == ["crop_audio", "extract_features", "fit_kmeans", "assign_labels"]
    assert lines[-1].startswith("total")
