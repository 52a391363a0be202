"""What torchrun starts in the tests: ``pretrain.py`` with the tiny objective."""

import training_kit as kit

import pretrain
from musicssl import models

if __name__ == "__main__":
    models.build_objective = kit.tiny_objective
    pretrain.main()
