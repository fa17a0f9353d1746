"""Convolutions of images no larger than their kernel, against torch.nn's, and where they apply."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from normlib.models.reaching import Conv2d, with_reaching

CASES = {
    "3x3 at one position": ((1, 1), {"kernel_size": 3, "padding": 1}),
    "3x3, stride 2, of 2x2": ((2, 2), {"kernel_size": 3, "padding": 1, "stride": 2}),
    "1x1 at one position": ((1, 1), {"kernel_size": 1}),
    "1x1, stride 2, of 2x2": ((2, 2), {"kernel_size": 1, "stride": 2}),
    "3x1 of 1x2": ((1, 2), {"kernel_size": (3, 2), "padding": (1, 0)}),
    "5x5 of 3x3, unpadded below": ((3, 3), {"kernel_size": 5, "padding": 2, "stride": 3}),
    "with a bias": ((1, 1), {"kernel_size": 3, "padding": 1, "bias": True}),
}
ELSEWHERE = {
    "two positions": ((1, 2), {"kernel_size": 3, "padding": 1}),
    "more padding than kernel": ((1, 1), {"kernel_size": 1, "padding": 1, "stride": 3}),
    "groups": ((1, 1), {"kernel_size": 3, "padding": 1, "groups": 2}),
    "dilation": ((1, 1), {"kernel_size": 3, "padding": 2, "dilation": 2}),
    "circular": ((1, 1), {"kernel_size": 3, "padding": 1, "padding_mode": "circular"}),
    "same": ((1, 1), {"kernel_size": 3, "padding": "same"}),
}


def both(size: tuple[int, int], options: dict) -> list[dict[str, torch.Tensor]]:
    """Output, and gradients once and twice differentiated, of torch.nn's layer and of ours."""
    torch.manual_seed(0)
    theirs = nn.Conv2d(4, 6, **{"bias": False, **options}).double()
    ours = with_reaching(nn.Sequential(theirs))[0]
    x = torch.randn(3, 4, *size, dtype=torch.float64)
    found = []
    for layer in (theirs, ours):
        inputs = [x.clone().requires_grad_(), *layer.parameters()]
        y = layer(inputs[0])
        once = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        twice = torch.autograd.grad(sum(g.square().sum() for g in once), inputs)
        named = {f"once {i}": g for i, g in enumerate(once)}
        found.append({"y": y, **named, **{f"twice {i}": g for i, g in enumerate(twice)}})
    return found


@pytest.mark.parametrize("case", [*CASES, *ELSEWHERE])
def test_equal_to_torchs_with_gradients(case: str) -> None:
    theirs, ours = both(*{**CASES, **ELSEWHERE}[case])
    assert theirs.keys() == ours.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", [*CASES, *ELSEWHERE])
def test_where_it_applies(case: str) -> None:
    size, options = {**CASES, **ELSEWHERE}[case]
    layer = Conv2d(4, 6, **options)
    assert layer._reaches_once(torch.zeros(2, 4, *size)) == (case in CASES)


def test_taps_that_reach_nothing_keep_a_gradient_of_zero_in_the_weights_own_layout() -> None:
    """So the optimizer need not copy it, and leaves those taps alone."""
    layer = Conv2d(8, 8, 3, padding=1).to(memory_format=torch.channels_last)
    layer(torch.randn(2, 8, 1, 1)).square().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.stride() == layer.weight.stride()
    assert layer.weight.grad[:, :, 1, 1].ne(0).any()
    assert layer.weight.grad.ne(0).sum() == layer.weight.grad[:, :, 1, 1].ne(0).sum()


def test_a_model_keeps_its_parameters_and_its_random_numbers() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(weight_norm(nn.Conv2d(4, 4, 3))))
    before = dict(model.named_parameters())
    torch.manual_seed(3)
    drawn = torch.rand(2)
    torch.manual_seed(3)
    with_reaching(model.eval())
    assert torch.equal(torch.rand(2), drawn)
    assert all(p is before[name] for name, p in model.named_parameters())
    assert type(model[0]) is Conv2d
    assert not isinstance(model[1][0], Conv2d)  # another class already
    assert not model[0].training
