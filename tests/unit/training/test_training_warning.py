"""Slurm's warning under torchrun: the agent gets the signal, and hands it on when it is told to."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.artefacts.run import ResumeStates

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[2] / "workflow" / "scripts"
PASSED_ON = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"  # torchrun's own list lacks the last, which would then end it


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1], ids=["SIGTERM", "SIGUSR1"])
def test_a_signal_to_torchrun_saves_the_update_it_came_in(tmp_path, number):
    """No periodic state would be due for a million updates; the one that is there is of the last row written."""
    audio, labels, _ = kit.write_corpus(tmp_path, [[16000] * 8])
    recipe = kit.recipe(kit.HUBERT, updates=100000)
    out, log = tmp_path / "model", tmp_path / "log"
    job_file = kit.write_job(tmp_path, recipe, audio, [labels], out, log_every=1, checkpoint_every=1000000)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "--signals-to-handle", PASSED_ON,
        HERE / "training_worker.py", job_file,
    ]  # fmt: skip
    changes = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPTS)}
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    job = subprocess.Popen(list(map(str, command)), env=os.environ | changes, **streams)
    try:
        give_up = time.monotonic() + 90
        while not (log.exists() and "update 5/" in log.read_text()):
            assert job.poll() is None, log.read_text()
            assert time.monotonic() < give_up
            time.sleep(0.05)
        job.send_signal(number)
        assert job.wait(60) != 0
    finally:
        job.kill()
    saved, _ = ResumeStates(out / "resume", recipe["digest"]).latest()
    assert re.search(rf"stopped by a signal after update {saved};", log.read_text())
    assert read_jsonl(out / "resume" / "metrics.jsonl")[-1]["update"] == saved
    assert not (out / "checkpoint.pt").exists()
