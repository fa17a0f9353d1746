"""The table of methods says what its layers do."""

import pytest
import torch

from normlib.methods import CatalogueError, catalogue
from normlib.records.choices import NORMS, PEERS, WITH_GROUPS, WITHOUT_EPS

SHAPE = (6, 5, 4)
AXES = {
    "NHW": (0, 2, 3),
    "CHW": (1, 2, 3),
    "C": (1,),
    "HW": (2, 3),
}
NOT_OF_THE_BATCH_ALONE = {
    "l1": "the sphere of another norm",
    "ghost": "of parts of the batch",
    "renorm": "corrected toward the running averages",
    "noisy": "noise is added",
    "population": "running averages",
    "power": "running averages",
    "frn": "a threshold follows",
    "autodial": "of two domains",
}
LEARNED = {
    "": [],
    "one scale": [(1,)],
    "shift per channel": [(6,)],
    "scale, shift per channel": [(6,), (6,)],
    "scale, shift per element": [SHAPE, SHAPE],
    "scale per element": [SHAPE],
    "scale per filter": [],  # on the weight, not here
    "scale, shift, threshold per channel": [(6,)] * 3,
    "scale, shift, gate per channel": [(6,)] * 3,
    "scale, shift per channel; one slope": [(6,), (6,), (1,)],
    "scale, shift per channel; weights of three means and three variances": [
        (6,),
        (6,),
        (3,),
        (3,),
    ],
    "scale, shift per channel; the domains' share alpha": [(6,), (6,), (1,)],
}


def test_experiments_and_the_catalogue_know_the_same_names() -> None:
    assert tuple(catalogue) == tuple(catalogue.keys())
    # What changes a whole network or its training is no norm that an experiment could name.
    assert {m.name for m in catalogue.values() if m.family != "training"} == set(NORMS)
    for norm in PEERS["torch"]:
        assert catalogue[f"torch:{norm}"].name == f"torch:{norm}"


@pytest.mark.parametrize("name", [n for n in NORMS if catalogue[n].projected == "activation"])
def test_the_statistics_are_over_the_stated_axes(name: str) -> None:
    method = catalogue[name]
    if method.kind != "sphere" or name in NOT_OF_THE_BATCH_ALONE:
        pytest.skip("not on that sphere, and not said to be")
    x = torch.randn(8, *SHAPE, dtype=torch.double) * 3 + 1
    kwargs = {"groups": 2} if name == "group" else {}
    layer = method.build(SHAPE, **({"eps": 1e-300} | kwargs)).double()
    y = layer(x)
    if name == "group":
        y, dims = y.unflatten(1, (2, 3)), (2, 3, 4)
    else:
        dims = AXES[method.axes]
    square = y.square().mean(dims)
    rtol = 1e-6 if name == "scale" else 1e-12  # its radius is a parameter, made in float32
    torch.testing.assert_close(square, torch.ones_like(square), rtol=rtol, atol=0)
    mean = y.mean(dims).abs().max()
    assert (mean < 1e-13) == method.centered


def test_every_method_can_be_carried_out() -> None:
    for method in catalogue.values():
        carried_out = (method.parametrize, method.initialize, method.clip)
        by_layer = method.projected == "activation" or method.name == "none"
        assert by_layer == (not any(carried_out)), method.name
        assert method.paper or method.name == "none"


def test_a_sample_s_output_depends_on_its_batch_where_that_is_said() -> None:
    for method in catalogue.values():
        assert method.batch_statistics != ("batch split" in method.invariant_to), method.name


@pytest.mark.parametrize("name", NORMS)
def test_the_parameters_are_as_stated(name: str) -> None:
    method = catalogue[name]
    layer = method.build(SHAPE, groups=2 if name in WITH_GROUPS else None)
    shapes = [tuple(p.shape) for p in layer.parameters()]
    assert sorted(shapes) == sorted(LEARNED[method.learnable])
    running = [name for name, _ in layer.named_buffers() if "running" in name]
    assert bool(running) == method.running


@pytest.mark.parametrize("name", [n for n in NORMS if n not in WITHOUT_EPS])
def test_eps_reaches_the_layer(name: str) -> None:
    x = torch.randn(4, *SHAPE, dtype=torch.double)
    groups = 2 if name in WITH_GROUPS else None
    small, large = (
        catalogue[name].build(SHAPE, eps=eps, groups=groups).double()(x) for eps in (1e-8, 10.0)
    )
    # Batch Renormalization undoes most of it, up to its bounds.
    assert large.abs().max() < (0.95 if name == "renorm" else 0.7) * small.abs().max()


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
    for groups in (0, -2):
        with pytest.raises(CatalogueError, match=f"groups={groups} does not divide 6"):
            catalogue["group"].build(SHAPE, groups=groups)
