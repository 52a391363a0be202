"""The lock of a results folder ends with its process and names who holds it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from musicssl import runtime
from musicssl.artefacts.lock import take
from musicssl.runtime import UserError

HOLD = (
    "import sys, time; from musicssl.artefacts.lock import take; take(sys.argv[1]); print(flush=True); time.sleep(60)"
)


def test_a_second_run_is_refused_until_the_first_is_killed(tmp_path):
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=Path(runtime.__file__).parents[1], stdout=subprocess.PIPE
    )
    first.stdout.readline()
    with pytest.raises(UserError, match=rf"another run \(process {first.pid} on .* is writing here; wait for it"):
        take(tmp_path)
    first.send_signal(signal.SIGKILL)
    first.wait()
    lock = take(tmp_path)
    assert f'"process": {os.getpid()}' in (tmp_path / ".lock.json").read_text()
    lock.release()


def test_a_file_where_the_results_belong_is_a_sentence(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(UserError, match=r"results: cannot be written to .*set pathvars.results"):
        take(tmp_path / "results")
