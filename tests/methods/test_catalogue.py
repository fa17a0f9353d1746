"""The table of methods says what its layers do."""

import pytest
import torch

from normlib.catalogue import CatalogueError, catalogue
from normlib.records.choices import NORMS, PEERS, WITHOUT_EPS

SHAPE = (6, 5, 4)
AXES = {
    "NHW": (0, 2, 3),
    "CHW": (1, 2, 3),
    "C": (1,),
    "HW": (2, 3),
}


def test_experiments_and_the_catalogue_know_the_same_names() -> None:
    assert tuple(catalogue) == tuple(catalogue.keys())
    assert set(catalogue) == set(NORMS)
    for norm in PEERS["torch"]:
        assert catalogue[f"torch:{norm}"].name == f"torch:{norm}"
    assert len(catalogue) == len(NORMS)


@pytest.mark.parametrize("name", [n for n in NORMS if catalogue[n].projected == "activation"])
def test_the_statistics_are_over_the_stated_axes(name: str) -> None:
    method = catalogue[name]
    if method.kind != "sphere":
        return
    x = torch.randn(8, *SHAPE, dtype=torch.double) * 3 + 1
    kwargs = {"groups": 2} if name == "group" else {}
    layer = method.build(SHAPE, **({"eps": 1e-300} | kwargs)).double()
    y = layer(x)
    if name == "group":
        y, dims = y.unflatten(1, (2, 3)), (2, 3, 4)
    else:
        dims = AXES[method.axes]
    square = y.square().mean(dims)
    torch.testing.assert_close(square, torch.ones_like(square), rtol=1e-12, atol=0)
    mean = y.mean(dims).abs().max()
    assert (mean < 1e-13) == method.centered


@pytest.mark.parametrize("name", NORMS)
def test_the_parameters_are_as_stated(name: str) -> None:
    method = catalogue[name]
    layer = method.build(SHAPE, groups=2 if name == "group" else None)
    shapes = [tuple(p.shape) for p in layer.parameters()]
    stated = {
        "": [],
        "scale, shift per channel": [(6,), (6,)],
        "scale, shift per element": [SHAPE, SHAPE],
        "scale per element": [SHAPE],
        "scale per filter": [],  # on the weight, not here
    }
    assert shapes == stated[method.learnable]
    running = [name for name, _ in layer.named_buffers() if name.startswith("running")]
    assert bool(running) == method.running


@pytest.mark.parametrize("name", [n for n in NORMS if n not in WITHOUT_EPS])
def test_eps_reaches_the_layer(name: str) -> None:
    x = torch.randn(4, *SHAPE, dtype=torch.double)
    groups = 2 if name == "group" else None
    small, large = (
        catalogue[name].build(SHAPE, eps=eps, groups=groups).double()(x) for eps in (1e-8, 10.0)
    )
    assert large.abs().max() < 0.7 * small.abs().max()


def test_a_method_on_weights_leaves_the_activations_alone() -> None:
    conv = torch.nn.Conv2d(3, 6, 3)
    before = conv.weight.detach().clone()
    assert catalogue["weight"].apply_to(conv) is conv
    torch.testing.assert_close(conv.weight.detach(), before)
    assert isinstance(catalogue["weight"].build(SHAPE), torch.nn.Identity)
    assert catalogue["batch"].apply_to(conv) is conv


@pytest.mark.parametrize(
    ("name", "words"), [("", "choose one of"), ("torch:affine", "torch:layer"), ("bacth", "batch")]
)
def test_an_unknown_method(name: str, words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        catalogue[name]


def test_groups_that_do_not_divide() -> None:
    with pytest.raises(CatalogueError, match="groups=4 does not divide 6"):
        catalogue["group"].build(SHAPE, groups=4)
