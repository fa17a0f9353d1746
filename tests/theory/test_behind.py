"""What stands behind the measured invariances: a convolution, its filters, and every epsilon."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from normlib.methods import catalogue
from normlib.theory.behind import behind, direction, set_eps

WEIGHT = [name for name in catalogue if catalogue[name].parametrize is not None]


def _drawn() -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = ((4, 2, 3, 3), (5, 2, 6, 7))
    filters, x = (torch.randn(s, generator=random, dtype=torch.float64) for s in shapes)
    return filters, x


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("name", ["batch", "layer", "none"])
def test_the_method_sees_the_convolution_with_these_filters(name: str, padding: int) -> None:
    filters, x = _drawn()
    network = behind(catalogue[name], filters, x, padding=padding)
    convolved = nn.functional.conv2d(x, filters, padding=padding)
    alone = catalogue[name].build(tuple(convolved.shape[1:])).double()
    torch.testing.assert_close(network(x), alone(convolved), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", WEIGHT)
def test_the_direction_is_what_a_method_on_weights_normalizes(name: str) -> None:
    """Not its length or gain: those would scale the output."""
    filters, x = _drawn()
    network = behind(catalogue[name], filters, x)
    set_eps(network, 1e-200)
    free = direction(network[0])
    assert torch.equal(free, filters)
    before = network.eval()(x)
    free.data *= 3
    torch.testing.assert_close(network(x), before, rtol=1e-12, atol=1e-12)


def test_every_epsilon_is_set() -> None:
    filters, x = _drawn()
    norm = behind(catalogue["layer-channels"], filters, x, eps=0.25)
    assert {m.eps for m in norm.modules() if hasattr(m, "eps")} == {0.25}
    set_eps(norm, 1e-200)
    assert {m.eps for m in norm.modules() if hasattr(m, "eps")} == {1e-200}
