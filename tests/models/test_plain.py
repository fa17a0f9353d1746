"""The sources' plain networks, whatever their norm."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from normlib.datasets import INFO
from normlib.engine import initial_arrays
from normlib.methods import CatalogueError
from normlib.models import CNN, MLP, VGG, build
from normlib.records import Experiment
from normlib.records.choices import NORMS, PEERS, WITH_GROUPS, WITHIN_CHANNELS

NAMES = [*NORMS, *(f"torch:{norm}" for norm in PEERS["torch"])]
PLAIN = {
    "cnn": Experiment(width=8, hidden=16),
    "mlp": Experiment(model="mlp", initialization="torch", hidden=16),
    "vgg": Experiment(
        dataset="cifar10", model="vgg", initialization="torch", width=8, hidden=16, norm_eps=None
    ),
}
GROUPS = {"norm_groups": 4}
FITTING = [
    (network, norm)
    for network in PLAIN
    for norm in NAMES
    if not (network == "mlp" and norm.rpartition(":")[2] in WITHIN_CHANNELS)
]
EACH = pytest.mark.parametrize(("network", "norm"), FITTING)


def named(network: str, norm: str) -> Experiment:
    groups = GROUPS if norm.rpartition(":")[2] in WITH_GROUPS else {}
    return PLAIN[network].replace(norm=norm, **groups)


def model(network: str, norm: str) -> nn.Module:
    experiment = named(network, norm)
    return build(experiment, initial_arrays(experiment)).double()


def images(network: str, count: int) -> Tensor:
    shape = INFO[PLAIN[network].dataset].shape
    return torch.rand(count, *shape, dtype=torch.double)


@EACH
def test_every_norm_can_be_trained(network: str, norm: str) -> None:
    net = model(network, norm)
    logits = net(images(network, 3))
    assert logits.shape == (3, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@EACH
def test_all_conditions_of_a_seed_start_from_the_same_weights(network: str, norm: str) -> None:
    """A method on weights computes with others; what it computes them from is the same."""
    net, arrays = model(network, norm), initial_arrays(PLAIN[network])
    for name, array in arrays.items():
        layer, _, parameter = name.partition(".")
        module = net.get_submodule(layer)
        if parametrize.is_parametrized(module, parameter):
            *_, direction = module.parametrizations[parameter].parameters()
            value = direction.detach().numpy()
        else:
            value = getattr(module, parameter).detach().numpy()
        np.testing.assert_allclose(value, array, rtol=1e-6, atol=0)


@pytest.mark.parametrize("network", PLAIN)
@pytest.mark.parametrize(
    "norm", [norm for norm in PEERS["torch"] if norm not in ("none", "layer-channels", "instance")]
)
def test_ours_and_the_frameworks_compute_the_same(network: str, norm: str) -> None:
    x = images(network, 5)
    ours, theirs = model(network, norm), model(network, f"torch:{norm}")
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    results = []
    for net in (ours, theirs):
        y = net(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), net.parameters())])
    for a, b in zip(*results, strict=True):
        assert (a - b).abs().max() <= 1e-10 * max(1.0, float(b.detach().abs().max()))


def test_two_layers_are_what_they_are_said_to_be() -> None:
    """Source C's network, its BatchNorm over the batch alone, in NumPy."""
    net = model("mlp", "batch")
    arrays = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    x = images("mlp", 6)
    hidden = x.flatten(1).numpy() @ arrays["fc.weight"].T + arrays["fc.bias"]
    hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-5)
    expected = np.maximum(hidden, 0) @ arrays["out.weight"].T + arrays["out.bias"]
    np.testing.assert_allclose(net(x).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "weight"])
def test_the_deep_one_is_plain_torch(norm: str) -> None:
    """Convolution, norm, ReLU twice, then pooling, four times; ReLU before pooling, as usual."""
    net = model("vgg", norm)
    x = y = images("vgg", 4)
    for stage in range(1, 5):
        for layer in (1, 2):
            y = net.get_submodule(f"conv{stage}_{layer}")(y)
            y = torch.relu(net.get_submodule(f"norm{stage}_{layer}")(y))
        y = nn.functional.max_pool2d(y, 2)
    expected = net.out(torch.relu(net.fc(y.flatten(1))))
    torch.testing.assert_close(net(x), expected, rtol=1e-9, atol=1e-9)
    shapes = [tuple(p.shape) for n, p in net.named_parameters() if n.endswith("_2.bias")]
    assert (64,) in shapes or norm != "none"


@pytest.mark.parametrize("network", [CNN, MLP, VGG])
def test_an_unknown_norm_names_the_choices(network: type[nn.Module]) -> None:
    with pytest.raises(CatalogueError, match="did you mean batch"):
        network((3, 32, 32), 10, norm="btach")


@pytest.mark.parametrize(("network", "first"), [(CNN, "conv"), (MLP, "fc"), (VGG, "conv1_1")])
def test_initial_arrays_of_another_network_are_refused(
    network: type[nn.Module], first: str
) -> None:
    name = f"{first}.weight"
    array = network((3, 32, 32), 10).state_dict()[name].numpy()
    with pytest.raises(ValueError, match="lack"):
        network((3, 32, 32), 10, initial={name: array})
    with pytest.raises(ValueError, match=r"\['other'\] too many"):
        network((3, 32, 32), 10, initial={"other": array})
