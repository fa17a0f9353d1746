"""The sources' CNN, whatever its norm."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from normlib.engine import initial_arrays
from normlib.methods import CatalogueError
from normlib.models import CNN, build
from normlib.records import Experiment
from normlib.records.choices import NORMS, PEERS

NAMES = [*NORMS, *(f"torch:{norm}" for norm in PEERS["torch"])]


def model(norm: str) -> nn.Module:
    experiment = Experiment(norm=norm, width=8, hidden=16)
    return build(experiment, initial_arrays(experiment)).double()


@pytest.mark.parametrize("norm", NAMES)
def test_every_norm_can_be_trained(norm: str) -> None:
    net = model(norm)
    logits = net(torch.rand(3, 1, 28, 28, dtype=torch.double))
    assert logits.shape == (3, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("norm", NAMES)
def test_all_conditions_of_a_seed_start_from_the_same_weights(norm: str) -> None:
    """A method on weights computes with others; what it computes them from is the same."""
    net, arrays = model(norm), initial_arrays(Experiment(width=8, hidden=16))
    for name, array in arrays.items():
        layer, _, parameter = name.partition(".")
        module = net.get_submodule(layer)
        if parametrize.is_parametrized(module, parameter):
            *_, direction = module.parametrizations[parameter].parameters()
            value = direction.detach().numpy()
        else:
            value = getattr(module, parameter).detach().numpy()
        np.testing.assert_allclose(value, array, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "norm", [norm for norm in PEERS["torch"] if norm not in ("none", "layer-channels")]
)
def test_ours_and_the_frameworks_compute_the_same(norm: str) -> None:
    x = torch.rand(5, 1, 28, 28, dtype=torch.double)
    ours, theirs = model(norm), model(f"torch:{norm}")
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    results = []
    for net in (ours, theirs):
        y = net(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), net.parameters())])
    for a, b in zip(*results, strict=True):
        assert (a - b).abs().max() <= 1e-10 * max(1.0, float(b.detach().abs().max()))


def test_an_unknown_norm_names_the_choices() -> None:
    with pytest.raises(CatalogueError, match="did you mean batch"):
        CNN((1, 28, 28), 10, norm="btach")


def test_initial_arrays_of_another_network_are_refused() -> None:
    arrays = initial_arrays(Experiment(width=8, hidden=16))
    with pytest.raises(ValueError, match="lack"):
        CNN((1, 28, 28), 10, 8, 16, initial={"conv.weight": arrays["conv.weight"]})
