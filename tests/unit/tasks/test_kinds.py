"""The table of kinds, and that nobody keeps another."""

from typing import get_args, get_type_hints

import torch
from torch.nn import functional as F

from musicssl.config.recipes import Items
from musicssl.datasets import DATASETS, adapter
from musicssl.probing.heads import losses
from musicssl.tasks.kinds import KINDS, LABELS


def test_the_configuration_and_the_adapters_know_the_same_kinds():
    assert set(get_args(get_type_hints(Items)["kind"])) == set(KINDS)
    assert {kind for name in DATASETS for kind in adapter(name).TARGETS.values()} == set(KINDS)


def test_what_is_watched_is_scored_and_names_are_printed_one_way():
    for name, kind in KINDS.items():
        assert set(kind.monitors) <= set(kind.names), name
        assert len(set(kind.names)) == len(kind.names)
    labels = {(metric.name, metric.label) for kind in KINDS.values() for metric in kind.metrics}
    assert len(labels) == len(LABELS) == len(set(LABELS.values()))


def test_losses_are_torchs():
    outputs = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    classes, marks, values = torch.arange(6) % 3, torch.eye(3).repeat(2, 1), torch.arange(18.0).view(6, 3)
    for name, kind in KINDS.items():
        if kind.has_classes:
            wanted = [F.cross_entropy(one, classes, reduction="sum") for one in outputs]
            found = losses(name, outputs, classes)
        elif name == "regression":
            wanted = [F.mse_loss(one, values) * 6 for one in outputs]
            found = losses(name, outputs, values)
        else:
            wanted = [F.binary_cross_entropy_with_logits(one, marks) * 6 for one in outputs]
            found = losses(name, outputs, marks)
        torch.testing.assert_close(found, torch.stack(wanted))
