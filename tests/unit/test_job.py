"""The door of every job: log, record, header, sentences."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from musicssl import job, runtime
from musicssl.artefacts.header import Header, read_header
from musicssl.artefacts.ledger import read_record, records
from musicssl.artefacts.store import content_of, write_text

RECIPE = {"noun": "labels", "name": "x", "digest": "0123456789", "entry": {}, "versions": {}, "inputs": {}}
SCRIPTS = Path(runtime.__file__).parents[1]


@pytest.fixture
def one(tmp_path):
    """A job with an input from outside and an output in the results."""
    (tmp_path / "in.csv").write_text("a\n")
    folder = tmp_path / "results/labels/x"
    return job.Job(
        "fit_kmeans", ["x", "corpus"], RECIPE, [str(tmp_path / "in.csv")],
        [str(folder / "out.csv"), str(folder / "recipe.json")], str(tmp_path / "results"), str(tmp_path / "job.log"),
    )  # fmt: skip


def the_record(one):
    (path,) = records(one.results)
    return read_record(path)


def test_a_job_leaves_header_record_and_log(one):
    with job.attempt(one):
        assert the_record(one).status == "begun"
        write_text(one.outputs[0], "b\n")
        job.note(found=3)
    header, record = read_header(one.outputs[1]), the_record(one)
    assert header.recipe == RECIPE
    assert header.made_from == {one.inputs[0]: content_of(one.inputs[0]).sha256}
    assert header.contents == {"out.csv": content_of(one.outputs[0])}
    assert (record.status, record.recipe, record.facts) == ("ok", "0123456789", {"found": 3})
    assert record.outputs.keys() == {"labels/x/out.csv", "labels/x/recipe.json"}
    assert record.about["sources"]["job.py"]
    for key in ("commit", "host", "processor", "python", "packages", "variables", "wall_s", "cpu_s", "peak_bytes"):
        assert key in record.about
    log = Path(one.log).read_text()
    assert "fit_kmeans x corpus: begins at 20" in log
    assert "recipe 0123456789" in log


def test_a_second_attempt_appends_to_the_log_and_has_its_own_record(one):
    for _ in range(2):
        with job.attempt(one):
            write_text(one.outputs[0], "b\n")
    assert Path(one.log).read_text().count("begins at") == 2
    assert [path.name for path in records(one.results)] == ["001.json", "002.json"]


def test_a_user_error_is_one_sentence_without_a_traceback(one):
    with pytest.raises(SystemExit) as caught, job.attempt(one):
        raise runtime.UserError("corpus: found nothing, expected music; put some there")
    log = Path(one.log).read_text()
    assert caught.value.code == 1
    assert "fit_kmeans x corpus: failed: corpus: found nothing, expected music; put some there" in log
    assert "Traceback" not in log
    assert the_record(one).error.startswith("corpus: found nothing")
    assert not Path(one.outputs[1]).exists()


@pytest.mark.parametrize(
    ("number", "words"), [(28, "No space left on device; free space there"), (13, "Permission denied; change its perm")]
)
def test_what_the_machine_refuses_is_a_sentence(one, number, words):
    with pytest.raises(SystemExit), job.attempt(one):
        raise OSError(number, os.strerror(number), "/data/x.npy")
    log = Path(one.log).read_text()
    assert f"failed: /data/x.npy: {words}" in log
    assert "Traceback" not in log


def test_a_defect_keeps_its_traceback(one):
    with pytest.raises(SystemExit), job.attempt(one):
        {}["missing"]
    assert "KeyError: 'missing'" in Path(one.log).read_text()
    assert the_record(one).status == "failed"


def test_an_input_of_another_recipe_stops_the_job_before_it_works(one, tmp_path):
    stranger = tmp_path / "results/features/000.npy"
    write_text(stranger, "x")
    Header(RECIPE | {"name": "y", "digest": "9999999999"}, {}, {"000.npy": content_of(stranger)}).write(
        stranger.with_name("000.recipe.json")
    )
    one.inputs.append(str(stranger))
    with pytest.raises(SystemExit), job.attempt(one):
        pytest.fail("it worked")
    assert "000.npy: made by recipe 9999999999 of labels/y" in the_record(one).error


def test_two_equal_jobs_write_equal_headers(one, tmp_path):
    found = []
    for folder in ("a", "b"):
        other = job.Job(
            one.rule, one.names, RECIPE, [], [str(tmp_path / folder / "x.csv"), str(tmp_path / folder / "recipe.json")],
            str(tmp_path / folder),
        )  # fmt: skip
        with job.attempt(other):
            write_text(other.outputs[0], "same")
        found.append(Path(other.outputs[1]).read_bytes())
    assert found[0] == found[1]
    assert json.loads(found[0])["format"] == "musicssl/2"


def test_a_killed_job_was_begun(one, tmp_path):
    code = (
        "import sys, time; from musicssl import job\n"
        "with job.attempt(job.Job('x', [], {}, [], [], sys.argv[1])): print('on', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, one.results], cwd=SCRIPTS, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert the_record(one).status == "begun"


def test_a_job_ends_with_the_program_that_started_it():
    """Between the two stands a shell, as Snakemake starts scripts."""
    worker = "from musicssl import runtime; import time, os; runtime.die_with_program('controller', 0.05); " \
             "print(os.getpid(), flush=True); time.sleep(60)"  # fmt: skip
    controller = "import subprocess, sys; subprocess.run(['sh', '-c', f'{sys.executable} -c \"{sys.argv[1]}\"; true'])"
    started = subprocess.Popen(
        [sys.executable, "-c", controller, worker, "controller"], cwd=SCRIPTS, stdout=subprocess.PIPE, text=True
    )
    pid = int(started.stdout.readline())
    started.send_signal(signal.SIGKILL)
    started.wait()
    give_up = time.monotonic() + 20
    while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < give_up, "the job outlived its controller"
        time.sleep(0.05)
