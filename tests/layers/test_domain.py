"""Two domains: AdaBN's layer, and what AutoDIAL shares."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import normlib
from normlib.errors import NormlibError
from normlib.layers.autodial import AutoDIAL, domains, mixture_of
from normlib.layers.batch import BatchNorm1d, BatchNorm2d
from normlib.layers.domain import AdaBatchNorm
from tests.layers.measure import observe, relative_error, seeded


def images(n: int, seed: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
    return mean + std * seeded(torch.empty(n, 3, 4, 4, dtype=torch.float64), seed)


TARGET = images(12, 7, mean=2, std=3)


# AdaBN


def test_adabn_is_batch_norm_until_it_is_adapted() -> None:
    for norm, x in ((BatchNorm2d(3), TARGET), (BatchNorm1d(3), TARGET[:, :, 0, 0])):
        layer = AdaBatchNorm(3).double()
        layer.load_state_dict(norm.state_dict())
        for training in (True, False):
            found, expected = (observe(m.double().train(training), x) for m in (layer, norm))
            assert all(torch.equal(found[name], value) for name, value in expected.items())
    with pytest.raises(ValueError, match="at least 2D"):
        AdaBatchNorm(3)(torch.zeros(3))


# AutoDIAL


def both(layer: nn.Module, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    with domains(layer, source=len(source), target=len(target)):
        y = layer(torch.cat([source, target]))
    return y[: len(source)], y[len(source) :]


SOURCE = images(8, 3, mean=-1, std=0.5)


def test_alpha_1_is_a_batch_norm_for_each_domain() -> None:
    """In training and, with the running averages, in evaluation."""
    layer = AutoDIAL(3, momentum=0.3, alpha=1).double()
    norms = [BatchNorm2d(3, momentum=0.3).double() for _ in range(2)]
    for training in (True, True, False):
        found = both(layer.train(training), SOURCE, TARGET)
        for y, norm, x in zip(found, norms, (SOURCE, TARGET), strict=True):
            torch.testing.assert_close(y, norm.train(training)(x), rtol=1e-12, atol=1e-12)
    for domain, norm in zip(("source", "target"), norms, strict=True):
        for name in ("running_mean", "running_var"):
            found = layer.get_buffer(f"{domain}_{name}")
            torch.testing.assert_close(found, norm.get_buffer(name), rtol=1e-12, atol=1e-12)


def test_alpha_one_half_is_one_batch_norm_for_both() -> None:
    """Of domains that have as many samples as one another; otherwise of domains that count as
    much, however many samples they have."""
    layer, norm = AutoDIAL(3, alpha=0.5).double(), BatchNorm2d(3).double()
    target = TARGET[: len(SOURCE)]
    found = torch.cat(both(layer, SOURCE, target))
    torch.testing.assert_close(found, norm(torch.cat([SOURCE, target])), rtol=1e-12, atol=1e-12)
    more = both(layer, torch.cat([SOURCE, SOURCE]), target)
    torch.testing.assert_close(more[1], found[len(SOURCE) :], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 0.6, 0.75, 1.0])
def test_statistics_of_a_mixture(alpha: float) -> None:
    """With the difference of the means; checked on a sample in which the domains have the shares
    alpha and 1 - alpha, by repetition."""
    s, t = SOURCE[:4, 0].flatten(), TARGET[:4, 0].flatten()
    own, other = ((x.mean(), x.var(correction=0)) for x in (s, t))
    mu, sigma2 = mixture_of(own, other, alpha)
    whole = torch.cat([s.repeat(round(20 * alpha)), t.repeat(round(20 * (1 - alpha)))])
    torch.testing.assert_close(mu, whole.mean(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(sigma2, whole.var(correction=0), rtol=1e-12, atol=1e-12)
    if alpha < 1:
        without = alpha * own[1] + (1 - alpha) * other[1]
        between = (own[0] - other[0]).square()
        torch.testing.assert_close(sigma2 - without, alpha * (1 - alpha) * between)
        assert sigma2 > without


def test_source_and_target_take_reverse_mixtures() -> None:
    layer = AutoDIAL(3, alpha=0.8).double()
    one, two = both(layer, SOURCE, TARGET)
    three, four = both(AutoDIAL(3, alpha=0.8).double(), TARGET, SOURCE)
    torch.testing.assert_close(one, four, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(two, three, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 0.75, 0.9, 1.0])
def test_alpha_starts_as_said_and_stays_in_its_interval(alpha: float) -> None:
    layer = AutoDIAL(3, alpha=alpha)
    assert layer.alpha.item() == pytest.approx(alpha, abs=1e-7)
    if alpha in (0.5, 1.0):
        assert layer.alpha.item() == alpha
        assert layer.double().alpha.item() == alpha
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e4)
    for sign in (1, -1):
        with domains(layer, source=8, target=12):
            (sign * layer(torch.cat([SOURCE, TARGET]).to(layer.weight)).pow(3).sum()).backward()
        optimizer.step()
        assert 0.5 <= layer.alpha.item() <= 1
        assert torch.isfinite(layer.mixing).all()


def test_alpha_is_learned() -> None:
    """From domains that differ in their means only: aligning them needs alpha = 1."""
    layer = AutoDIAL(3, affine=False).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=5.0)
    for seed in range(30):
        optimizer.zero_grad()
        s, t = both(layer, images(8, seed, mean=-1), images(8, seed + 100, mean=1))
        (s.mean() - t.mean()).square().backward()
        optimizer.step()
    assert layer.alpha.item() > 0.95


def test_without_domains_it_is_batch_norm_whatever_alpha() -> None:
    """Training on one domain; both running averages follow it, and evaluation agrees."""
    layer, norm = AutoDIAL(3, alpha=0.8).double(), BatchNorm2d(3).double()
    for training in (True, False):
        found, expected = (observe(m.train(training), SOURCE) for m in (layer, norm))
        for name, value in expected.items():
            if "buffer running" not in name:
                assert relative_error(found[name], value) <= 1e-12, name
        assert found["d mixing"] == 0
        for domain in ("source", "target"):
            for name in ("running_mean", "running_var"):
                assert torch.equal(found[f"buffer {domain}_{name}"], expected[f"buffer {name}"]), (
                    name
                )


def test_evaluation_without_domains_is_of_the_target() -> None:
    layer = AutoDIAL(3).double()
    both(layer, SOURCE, TARGET)
    layer.eval()
    nothing = SOURCE[:0]
    assert torch.equal(layer(TARGET), both(layer, nothing, TARGET)[1])
    assert not torch.allclose(layer(TARGET), both(layer, TARGET, nothing)[0])
    torch.testing.assert_close(both(layer, SOURCE, TARGET)[1], layer(TARGET))


def test_domains_hold_in_the_block_and_only_there() -> None:
    layers = [AutoDIAL(3) for _ in range(3)]
    model = nn.Sequential(*layers)
    with domains(model, source=3, target=4):
        assert [layer.domains for layer in layers] == [(3, 4)] * 3
        with pytest.raises(RuntimeError), domains(model, source=1, target=1):
            raise RuntimeError
        assert [layer.domains for layer in layers] == [(3, 4)] * 3
        assert pickle.loads(pickle.dumps(layers[0])).domains == (3, 4)
    assert [layer.domains for layer in layers] == [None] * 3


def test_domains_say_what_is_wrong() -> None:
    layer = AutoDIAL(3)
    with pytest.raises(NormlibError, match="this BatchNorm2d has no AutoDIAL layer"):
        domains(normlib.BatchNorm2d(3), source=1, target=1).__enter__()
    with pytest.raises(NormlibError, match="source=-1"):
        domains(layer, source=-1, target=1).__enter__()
    for training in (True, False):
        layer.train(training)
        with (
            domains(layer, source=2, target=3),
            pytest.raises(ValueError, match=r"a batch of 4 samples.*2 source and 3 target"),
        ):
            layer(torch.zeros(4, 3))
    layer.train()
    for source, target in ((1, 3), (4, 0)):
        which = "source" if source < 2 else "target"
        with (
            domains(layer, source=source, target=target),
            pytest.raises(ValueError, match=f"of each domain, got {which} samples"),
        ):
            layer(torch.zeros(4, 3))


def test_autodial_says_what_is_wrong() -> None:
    for alpha in (0.4, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"alpha=.* is not in 1/2\.\.1"):
            AutoDIAL(3, alpha=alpha)
    with pytest.raises(ValueError, match=r"\(N, 3, \.\.\.\), got \(2, 4\)"):
        AutoDIAL(3)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="at least 2 values per channel"):
        AutoDIAL(3)(torch.zeros(1, 3))


def test_reset_and_an_empty_batch() -> None:
    layer = AutoDIAL(3, alpha=0.9)
    fresh = copy.deepcopy(layer.state_dict())
    assert layer(torch.empty(0, 3, 2)).shape == (0, 3, 2)
    with domains(layer, source=0, target=0):
        assert layer(torch.empty(0, 3, 2)).shape == (0, 3, 2)
    assert all(torch.equal(value, fresh[name]) for name, value in layer.state_dict().items())
    both(layer, SOURCE.float(), TARGET.float())
    with torch.no_grad():
        layer.mixing.fill_(3)
    layer.reset_parameters()
    assert all(torch.equal(value, fresh[name]) for name, value in layer.state_dict().items())
