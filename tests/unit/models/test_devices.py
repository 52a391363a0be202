"""Which code runs where, and what a GPU needs: a step that never makes the host wait, layers that torch can compile."""

import numpy as np
import pytest
import torch
from golden_models import make_data2vec, make_hubert

from musicssl.geometry import num_frames
from musicssl.models import build_encoder, build_objective, library, masked_rows, passes, sample_mask
from musicssl.models.cpu import passes as kernels

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


@pytest.fixture
def on_library(monkeypatch):
    """Run the parts of encoders as a GPU would, on the CPU."""
    monkeypatch.setattr(passes, "implementation", lambda device: library)


def test_kernels_for_cpus_run_on_cpus_and_nowhere_else(monkeypatch):
    """A step on a device without values: none of the kernels is touched, forward or backward."""
    assert passes.implementation(torch.device("cpu")) is kernels
    for device in ("cuda", "cuda:3", "mps", "meta"):
        assert passes.implementation(torch.device(device)) is library
    for name in kernels.__all__:
        monkeypatch.delattr(kernels, name)
    recipe = make_hubert(dropout=0.1, attention_dropout=0.1, input_dropout=0.1)
    objective = build_objective(recipe, 11).to("meta")
    objective(*(x.to("meta") if isinstance(x, torch.Tensor) else x for x in inputs(recipe, 11))).loss_sum.backward()
    with pytest.raises(AttributeError):
        build_objective(recipe, 11)(*inputs(recipe, 11))


def test_both_implementations_have_the_same_functions():
    assert all(hasattr(library, name) for name in kernels.__all__)


@KINDS
def test_library_and_kernels_compute_the_same_step(make, clusters, request):
    """Loss, statistics and every gradient of a float32 step in training mode, all layers and some layers."""
    recipe = make()
    torch.manual_seed(0)
    objective = build_objective(recipe, clusters).train()
    arguments = inputs(recipe, clusters)
    results = []
    for fixture in (None, "on_library"):
        if fixture:
            request.getfixturevalue(fixture)
        objective.zero_grad()
        output = objective(*arguments)
        (output.loss_sum / output.num_masked).backward()
        gradients = {name: p.grad.clone() for name, p in objective.named_parameters() if p.grad is not None}
        results.append((output.loss_sum.detach(), output.sums, gradients))
    (loss, sums, gradients), (other_loss, other_sums, other_gradients) = results
    torch.testing.assert_close(other_loss, loss, rtol=1e-5, atol=0)
    torch.testing.assert_close(other_sums, sums, rtol=1e-5, atol=1e-5)
    assert gradients.keys() == other_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(other_gradients[name], gradient, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("make", [make_hubert, make_data2vec])
def test_states_of_the_library_are_those_of_a_plain_forward(make, on_library):
    encoder = build_encoder(make()).eval()
    wave = torch.randn(2, 8000)
    with torch.no_grad():
        expected = encoder(wave, output_hidden_states=True).hidden_states
        found = list(passes.states(encoder, wave))
    torch.testing.assert_close(found, list(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rate", ["dropout", "attention_dropout", "activation_dropout", "input_dropout"])
@KINDS
def test_the_library_drops_at_every_place(make, clusters, rate, on_library):
    recipe = make(**{rate: 0.5})
    objective = build_objective(recipe, clusters)
    arguments = inputs(recipe, clusters)
    losses = [objective(*arguments).loss_sum.item() for _ in range(2)]
    assert losses[0] != losses[1]
    losses = [objective.eval()(*arguments).loss_sum.item() for _ in range(2)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("make", [make_hubert, make_data2vec])
def test_each_place_of_dropout_acts_alone_in_the_library(make, on_library):
    """After positions, after attention, on its weights, inside and after feed-forward."""
    encoder = build_encoder(make()).train()
    trunk = encoder.encoder
    layer = trunk.layers[1]
    hidden, keep = torch.randn(2, 20, 48), [True] * len(trunk.layers)
    places = [trunk.dropout, layer.dropout, layer.feed_forward.intermediate_dropout, layer.feed_forward.output_dropout]
    for module, name in [*((place, "p") for place in places), (layer.attention, "dropout")]:
        setattr(module, name, 0.25)
        assert not torch.equal(*(passes.encode(encoder, hidden, keep) for _ in range(2))), module
        setattr(module, name, 0.0)
        assert torch.equal(*(passes.encode(encoder, hidden, keep) for _ in range(2)))


@KINDS
def test_compiled_library_layers_compute_the_same(make, clusters, monkeypatch, on_library):
    test_compiled_layers_compute_the_same(make, clusters, monkeypatch)
