"""Logging, errors as sentences, orphans."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from musicssl import runtime

SCRIPTS = Path(runtime.__file__).parents[1]


def job(tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(
        rule="crop_audio", log=[str(tmp_path / "job.log")], params={"recipe": {"digest": "0123456789"}},
        wildcards=["mymusic"], threads=1,
    )  # fmt: skip


def test_a_user_error_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    def main(_: object) -> None:
        raise runtime.UserError("corpus: found nothing, expected music; put some there")

    with pytest.raises(SystemExit) as caught:
        runtime.run(main, job(tmp_path))
    log = (tmp_path / "job.log").read_text()
    assert caught.value.code == 1
    assert "crop_audio mymusic failed: corpus: found nothing, expected music; put some there" in log
    assert "recipe 0123456789" in log
    assert "Traceback" not in log


def test_a_defect_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        runtime.run(lambda _: {}["missing"], job(tmp_path))
    assert "KeyError: 'missing'" in (tmp_path / "job.log").read_text()


def test_progress_tells_how_much_is_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert list(runtime.progress(range(3), 3, "files", every_s=0.0)) == [0, 1, 2]
    assert [record.getMessage().split(",")[0] for record in caplog.records[:2]] == ["1/3 files", "2/3 files"]


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    worker = "from musicssl import runtime; import time, os; runtime.die_with_parent(0.05); " \
             "print(os.getpid(), flush=True); time.sleep(60)"  # fmt: skip
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
    started = subprocess.Popen(
        [sys.executable, "-c", parent, worker], cwd=SCRIPTS, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert started.stdout is not None
    pid = int(started.stdout.readline())
    started.send_signal(signal.SIGKILL)
    started.wait()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return  # dead; nobody has collected it yet
        time.sleep(0.1)
    pytest.fail("the worker outlived its parent")
