"""What a GPU needs: nothing in a step that the host would have to wait for, and layers that torch can compile."""

import numpy as np
import pytest
import torch
from golden_models import make_data2vec, make_hubert

from musicssl.geometry import num_frames
from musicssl.models import build_objective, masked_rows, sample_mask

KINDS = pytest.mark.parametrize(("make", "clusters"), [(make_hubert, 11), (make_data2vec, None)])


def inputs(recipe, clusters):
    """Return the arguments of one forward pass; two of the last three layers run."""
    frames = num_frames(16000)
    mask = torch.from_numpy(sample_mask(np.random.default_rng(0), recipe.masking, 2, frames))
    labels = None if clusters is None else torch.randint(clusters, (2, frames))
    keep = [True] * (recipe.architecture.num_layers - 1) + [False]
    return 0.1 * torch.randn(2, 16000), mask, labels, keep, masked_rows(mask)


@KINDS
def test_a_step_asks_the_device_for_nothing(make, clusters):
    """Meta tensors have shapes and no values: whatever the host wanted to know of them would be an error."""
    recipe = make(dropout=0.1, attention_dropout=0.1, input_dropout=0.1)
    objective = build_objective(recipe, clusters).to("meta")
    arguments = [x.to("meta") if isinstance(x, torch.Tensor) else x for x in inputs(recipe, clusters)]
    objective.before_forward(3)
    output = objective(*arguments)
    output.loss_sum.backward()
    assert objective.encoder.feature_extractor.conv_layers[0].conv.weight.grad.shape == (32, 1, 10)
    with pytest.raises(NotImplementedError):  # the host counts the masked frames itself where it is not told
        objective(*arguments[:-1])


@KINDS
def test_compiled_layers_compute_the_same(make, clusters, monkeypatch):
    """Dynamo traces forward and backward of all layers as one program; eager runs it, which needs no C++ compiler."""
    recipe = make()
    torch.manual_seed(0)
    objective = build_objective(recipe, clusters)
    arguments = inputs(recipe, clusters)
    results = []
    graphs = []

    def backend(graph, example):
        graphs.append(graph)
        return graph.forward

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **options: compiler(f, backend=backend, fullgraph=True, **options))
    for compiled in (False, True):
        if compiled:
            objective.compile_layers()
        objective.zero_grad()
        loss = objective(*arguments).loss_sum
        loss.backward()
        results.append([loss, *(p.grad for p in objective.parameters() if p.grad is not None)])
    assert 1 <= len(graphs) <= 2  # student, and the teacher without gradients
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-7)
