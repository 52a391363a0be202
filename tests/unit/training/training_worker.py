"""What torchrun starts in the tests: ``pretrain.py`` with the tiny objective."""

import sys
from pathlib import Path

import training_kit as kit

from musicssl import models
from musicssl.training import launch

if __name__ == "__main__":
    models.build_objective = kit.tiny_objective
    launch.work(Path(sys.argv[1]))
