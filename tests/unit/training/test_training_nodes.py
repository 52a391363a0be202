"""Two machines, as far as one can stand for them: two agents of torchrun that meet over a port, one rank each."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import training_kit as kit

from musicssl.artefacts import read_jsonl
from musicssl.artefacts.run import ResumeStates

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[2] / "workflow" / "scripts"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    audio, labels, _ = kit.write_corpus(folder, [[16000 + 400 * i for i in range(10)], [24000] * 11])
    return audio, labels


@pytest.fixture(scope="module")
def alone(corpus, tmp_path_factory):
    """Output of an uninterrupted run of one process."""
    out = tmp_path_factory.mktemp("alone") / "model"
    assert kit.run_ranks(1, kit.recipe(kit.HUBERT), corpus[0], [corpus[1]], out) == [0]
    return out


def start_nodes(corpus, folder, **environment):
    """Start an agent for each of two nodes on a port the system gives; return them and the model's folder."""
    recipe, out = kit.recipe(kit.HUBERT), folder / "model"
    job_file = kit.write_job(folder, recipe, corpus[0], [corpus[1]], out, log_every=1, checkpoint_every=3)
    endpoint = f"127.0.0.1:{kit.free_port()}"
    changes = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPTS), "GLOO_SOCKET_IFNAME": "lo"} | environment
    nodes = []
    for number in range(2):
        command = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", number,
            "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", endpoint,
            "--local-addr", "127.0.0.1",
            HERE / "training_worker.py", job_file,
        ]  # fmt: skip
        streams = {"stdout": subprocess.DEVNULL, "stderr": (folder / f"node{number}").open("w")}
        nodes.append(subprocess.Popen(list(map(str, command)), env=os.environ | changes, **streams))
    return nodes, out


def ends(nodes, folder):
    """Wait for both agents; return their exit codes, and their words when something is wrong."""
    try:
        codes = [node.wait(60) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    return codes, "".join((folder / f"node{number}").read_text()[-3000:] for number in range(2))


def assert_same_numbers(found, expected):
    rows, others = (read_jsonl(folder / "metrics.jsonl") for folder in (found, expected))
    assert len(rows) == len(others) == 23
    for row, other in zip(rows, others):
        assert row.pop("split") == other.pop("split")
        assert row == pytest.approx(other, rel=1e-5)


def test_two_nodes_give_the_losses_of_one_process(corpus, alone, tmp_path):
    """Each rank is the first of its machine, and the second of them is not the one that writes."""
    nodes, out = start_nodes(corpus, tmp_path)
    codes, words = ends(nodes, tmp_path)
    assert codes == [0, 0], words
    assert {row["world"] for row in read_jsonl(out / "speed.jsonl")} == {2}
    assert_same_numbers(out, alone)


def test_a_node_lost_ends_the_other_and_the_same_command_goes_on(corpus, alone, tmp_path):
    """Rank 1 dies in update 11, so the last whole state is that of update 9; no rank waits for ever."""
    nodes, out = start_nodes(corpus, tmp_path, TEST_SIGNAL=f"1 11 {int(signal.SIGKILL)}")
    codes, words = ends(nodes, tmp_path)
    assert 0 not in codes, words
    assert ResumeStates(out / "resume", kit.recipe(kit.HUBERT)["digest"]).latest()[0] == 9
    assert kit.run_ranks(2, kit.recipe(kit.HUBERT), corpus[0], [corpus[1]], out) == [0, 0]
    assert_same_numbers(out, alone)
