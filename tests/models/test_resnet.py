"""torchvision's ResNets under every norm that fits."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib import layers
from normlib.engine import initial_arrays
from normlib.engine.shapes import shapes
from normlib.errors import NormlibError
from normlib.layers.fixup import FixupBlock
from normlib.models import build, resnet
from normlib.records import Experiment
from normlib.records.choices import NORMS, PEERS, RESNETS, WITHIN_CHANNELS
from normlib.records.together import RESNET_CHANNELS
from normlib.surgery.norms import find
from tests.layers.measure import seeded

RESNET18 = Experiment(dataset="synthetic-color", model="resnet18", initialization="torchvision")
ONE_POSITION = ("instance", "torch:instance", "switchable")
"""They have nothing to do where one is left, as in the last stage at 32 x 32."""
EXPLODING = ("weight-standardization",)
"""It leaves filters of variance one, whatever the fan in, for a norm behind it to set right."""
NAMES = [
    name
    for name in (*NORMS, *(f"torch:{norm}" for norm in PEERS["torch"]))
    if name not in ONE_POSITION
]
PARAMETERS = {
    "resnet18": 11_181_642,
    "resnet34": 21_289_802,
    "resnet50": 23_528_522,
    "resnet101": 42_520_650,
}
"""torchvision's, with 10 classes in place of 1000."""


def theirs(name: str) -> nn.Module:
    from torchvision.models import get_model

    model: nn.Module = get_model(name, num_classes=10)
    return model


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return initial_arrays(RESNET18)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", RESNETS)
def test_parameters_are_torchvisions(name: str) -> None:
    """By name, shape and order: the model's with ``batch``, and those that an experiment draws."""
    with torch.device("meta"):
        expected = {k: tuple(p.shape) for k, p in theirs(name).named_parameters()}
    model = resnet(name, 10, "batch") if name == "resnet18" else None
    if model is not None:
        assert {k: tuple(p.shape) for k, p in model.named_parameters()} == expected
        assert list(model.state_dict()) == list(theirs(name).state_dict())
    with torch.device("meta"):
        norms = [k for k, m in theirs(name).named_modules() if isinstance(m, nn.BatchNorm2d)]
    outside = {k: s for k, s in expected.items() if k.rpartition(".")[0] not in norms}
    assert list(shapes(RESNET18.replace(model=name)).items()) == list(outside.items())
    assert sum(map(np.prod, expected.values())) == PARAMETERS[name]
    channels = [s[0] for k, s in expected.items() if k not in outside]
    assert min(channels) == RESNET_CHANNELS
    assert not any(count % RESNET_CHANNELS for count in channels)


@pytest.mark.parametrize("norm", ["affine", "batch-minus", "none"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_ablation_has_exactly_the_parameters_it_should(name: str, norm: str) -> None:
    model = resnet(name, 10, norm)
    with torch.device("meta"):
        original = theirs(name)
    bare = {k: tuple(s) for k, s in shapes(RESNET18.replace(model=name)).items()}
    whole = {k: tuple(p.shape) for k, p in original.named_parameters()}
    found = {k: tuple(p.shape) for k, p in model.named_parameters()}
    assert found == (whole if norm == "affine" else bare)
    buffers = {k.rpartition(".")[2] for k, _ in model.named_buffers()}
    assert buffers == (
        {"running_mean", "running_var", "num_batches_tracked"} if norm == "batch-minus" else set()
    )
    kind = {"affine": layers.AffineLayer, "batch-minus": layers.BatchNormMinus}
    if norm in kind:
        norms = [m for m in original.modules() if isinstance(m, nn.BatchNorm2d)]
        assert [type(n.module) for n in find(model)] == [kind[norm]] * len(norms)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_frameworks_batch_norm_gives_torchvisions_network(name: str) -> None:
    """Outputs, gradients and averages in double precision; ours, too, while training."""
    original = theirs(name).double()
    x = seeded(torch.empty(4, 3, 32, 32, dtype=torch.float64), 1)
    expected = _observe(original, x, None)
    for norm, bound in (("torch:batch", 1e-10), ("batch", 1e-7))[: 2 if name == "resnet18" else 1]:
        network = resnet(name, 10, norm).double()
        for key, value in _observe(network, x, original).items():
            scale = max(1.0, float(expected[key].abs().max()))
            assert (value - expected[key]).abs().max() <= bound * scale, key


def _observe(model: nn.Module, x: Tensor, like: nn.Module | None) -> dict[str, Tensor]:
    """Return outputs and gradients while training, then outputs in evaluation and the state."""
    if like is not None:
        model.load_state_dict(like.state_dict())
    y = model.train()(x)
    gradients = torch.autograd.grad(y.square().sum(), model.parameters())
    found = {"training": y.detach()}
    found |= {f"d {k}": g for (k, _), g in zip(model.named_parameters(), gradients, strict=True)}
    found |= {f"state {k}": v.double() for k, v in model.state_dict().items()}
    with torch.no_grad():
        found["evaluation"] = model.eval()(x)
    for module in model.modules():  # for the next: as they were
        if hasattr(module, "reset_running_stats"):
            module.reset_running_stats()
    return found


@pytest.mark.parametrize("norm", NAMES)
def test_every_norm_that_fits_can_be_trained(norm: str) -> None:
    model = resnet("resnet18", 10, norm)
    logits = model(seeded(torch.empty(4, 3, 32, 32), 1))
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    gradients = [p.grad for p in model.parameters()]
    assert None not in gradients
    assert norm in EXPLODING or all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("norm", ["batch", "torch:batch", "affine", "none", "weight"])
def test_all_conditions_of_a_seed_start_from_the_same_weights(
    norm: str, arrays: dict[str, np.ndarray]
) -> None:
    model = build(RESNET18.replace(norm=norm), arrays)
    for name, array in arrays.items():
        layer, _, parameter = name.rpartition(".")
        module = model.get_submodule(layer)
        if parametrize.is_parametrized(module, parameter):
            *_, value = module.parametrizations[parameter].parameters()
        else:
            value = getattr(module, parameter)
        np.testing.assert_allclose(value.detach().numpy(), array, rtol=1e-6, atol=0)


def test_a_norm_with_parameters_per_element_gets_the_shape_that_it_sees() -> None:
    model = resnet("resnet18", 10, "layer")
    assert tuple(model.get_submodule("bn1").normalized_shape) == (64, 16, 16)
    assert tuple(model.get_submodule("layer1.0.bn1").normalized_shape) == (64, 8, 8)
    assert tuple(model.get_submodule("layer4.1.bn2").normalized_shape) == (512, 1, 1)


@pytest.mark.parametrize("norm", ["weight", "torch:weight", "weight-standardization"])
def test_a_method_on_weights_applies_to_every_convolution(norm: str) -> None:
    model = resnet("resnet18", 10, norm)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 20
    for convolution in convolutions:
        assert parametrize.is_parametrized(convolution, "weight")
        assert convolution.bias is not None
        assert not convolution.bias.any()
    assert not parametrize.is_parametrized(model.get_submodule("fc"))
    assert find(model) == []


def test_fixup_goes_on_from_the_same_weights(arrays: dict[str, np.ndarray]) -> None:
    model = build(RESNET18.replace(initialization="fixup"), arrays)
    blocks = [m for m in model.modules() if isinstance(m, FixupBlock)]
    assert len(blocks) == 8
    assert find(model) == []
    first = blocks[0].layers[0].weight.detach().numpy()
    np.testing.assert_allclose(first, arrays["layer1.0.conv1.weight"] / 8**0.5, rtol=1e-6)
    stem = model.get_submodule("conv1").weight.detach().numpy()
    np.testing.assert_array_equal(stem, arrays["conv1.weight"])
    assert not model(seeded(torch.empty(2, 3, 32, 32), 1)).any()


def test_options_reach_the_norms() -> None:
    model = build(RESNET18.replace(norm="group", norm_groups=16, norm_eps=1e-3))
    norms = [norm.module for norm in find(model)]
    assert {(n.num_groups, n.eps) for n in norms} == {(16, 1e-3)}


def test_experiments_refuse_the_same_norms() -> None:
    assert {norm.rpartition(":")[2] for norm in ONE_POSITION} == set(WITHIN_CHANNELS)


@pytest.mark.parametrize("norm", ONE_POSITION)
def test_a_norm_that_does_not_fit_is_refused_with_its_place(norm: str) -> None:
    with pytest.raises(NormlibError, match=r"layer4\.0\.bn1.*\(N, 512, 1, 1\)"):
        resnet("resnet18", 10, norm)


def test_refused(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="did you mean resnet101"):
        resnet("resnet110", 10)
    with pytest.raises(NormlibError, match="did you mean batch"):
        resnet("resnet18", 10, "btach")
    with pytest.raises(NormlibError, match="tensorflow:none"):
        resnet("resnet18", 10, "tensorflow:none")
    with pytest.raises(ValueError, match="fixup for norm='none'"):
        resnet("resnet18", 10, "batch", initialization="fixup")
    with pytest.raises(ValueError, match=r"lack .*layer1\.0\.conv1"):
        resnet("resnet18", 10, initial={"conv1.weight": arrays["conv1.weight"]})
    with pytest.raises(ValueError, match=r"have \['conv.weight'\] too many"):
        resnet("resnet18", 10, initial=arrays | {"conv.weight": arrays["conv1.weight"]})
