"""TensorBoard is told the same rows, and not missed."""

import sys
from types import ModuleType

from musicssl.training.board import Board


def test_rows_become_scalars_and_a_resumed_run_hides_what_it_writes_again(tmp_path, monkeypatch):
    told = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            told.append((folder, purge_step))

        def add_scalar(self, *scalar):
            told.append(scalar)

        def close(self):
            told.append("closed")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = Board(tmp_path, 40)
    board.write({"update": 60, "split": "valid", "loss": 1.5, "cnn_std": None})
    board.close()
    assert told == [(str(tmp_path), 41), ("valid/loss", 1.5, 60), "closed"]


def test_without_the_package_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = Board(tmp_path / "board", 0)
    board.write({"update": 1, "split": "train", "loss": 1.0})
    board.close()
    assert not (tmp_path / "board").exists()
