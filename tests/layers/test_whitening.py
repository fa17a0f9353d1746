"""Whitening: the output's covariance, the gradient at equal eigenvalues, Newton's limits."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from normlib.layers.batch import BatchNorm2d
from normlib.layers.decorrelated import DecorrelatedBatchNorm, inverse_root
from normlib.layers.iterative import IterNorm
from normlib.layers.whitening import Whitening
from tests.layers.measure import observe, relative_error, seeded
from tests.layers.methods.case import Array
from tests.layers.methods.whitening import newton, rows
from tests.layers.test_transforms import COMPILER

BOTH = pytest.mark.parametrize("cls", [DecorrelatedBatchNorm, IterNorm])


def correlated(condition: float, channels: int = 4, shape: tuple[int, ...] = (50, 6)) -> Tensor:
    """(N, C, L) whose covariance has eigenvalues 1 to 1 / condition in a random basis, exactly."""
    random = np.random.default_rng(0)
    n, length = shape
    data = random.normal(size=(n * length, channels))
    data = data - data.mean(0)
    u, _, vt = np.linalg.svd(data, full_matrices=False)
    white = u @ vt * np.sqrt(len(data))  # covariance is the identity
    eigenvalues = np.geomspace(1, 1 / condition, channels)
    basis = np.linalg.qr(random.normal(size=(channels, channels)))[0]
    data = white @ np.diag(np.sqrt(eigenvalues)) @ basis.T + random.normal(size=channels)
    return torch.from_numpy(data.reshape(n, length, channels)).movedim(-1, 1).contiguous()


def covariance(x: Tensor) -> Array:
    data = rows(x.detach().numpy())
    return np.cov(data, rowvar=False, bias=True)


def plain(cls: type[Whitening], **options: object) -> Whitening:
    return cls(4, **{"eps": 0.0, "affine": False, **options}).double()


# The output's covariance


def test_the_output_is_white_at_eps_0() -> None:
    x = correlated(1e4)
    y = plain(DecorrelatedBatchNorm)(x)
    np.testing.assert_allclose(covariance(y), np.eye(4), atol=1e-10)
    np.testing.assert_allclose(rows(y.numpy()).mean(0), 0, atol=1e-12)


@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_the_defect_of_eps(eps: float) -> None:
    """Sigma (Sigma + eps)^(-1): eigenvalues lambda / (lambda + eps) in the same basis."""
    x = correlated(100)
    sigma = covariance(x)
    expected = sigma @ np.linalg.inv(sigma + eps * np.eye(4))
    found = covariance(plain(DecorrelatedBatchNorm, eps=eps)(x))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_it_is_the_whitening_nearest_to_the_input() -> None:
    """ZCA: every other one is a rotation of it, and moves the centered input further."""
    x = correlated(30)
    z = rows(x.numpy()) - rows(x.numpy()).mean(0)
    y = rows(plain(DecorrelatedBatchNorm)(x).numpy())
    random = np.random.default_rng(3)
    for _ in range(20):
        rotation = np.linalg.qr(random.normal(size=(4, 4)))[0]
        assert ((y - z) ** 2).sum() < ((y @ rotation - z) ** 2).sum()


@pytest.mark.parametrize("eps", [0.0, 0.1])
@BOTH
def test_a_rotation_of_the_channels_passes_through(cls: type[Whitening], eps: float) -> None:
    x = correlated(10)
    rotation = torch.linalg.qr(seeded(x[0, :, :4], 3))[0]
    layer = plain(cls, eps=eps)
    turned = layer(torch.einsum("ij,njl->nil", rotation, x))
    expected = torch.einsum("ij,njl->nil", rotation, layer(x))
    torch.testing.assert_close(turned, expected, rtol=1e-10, atol=1e-10)


def test_groups_are_whitened_each_by_itself() -> None:
    x = torch.cat([correlated(10), correlated(20)[:, [2, 0, 3, 1]]], 1)
    layer = DecorrelatedBatchNorm(8, groups=2, affine=False).double()
    expected = torch.cat(
        [plain(DecorrelatedBatchNorm, eps=1e-5)(part) for part in x.split(4, 1)], 1
    )
    torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)


@BOTH
def test_as_many_groups_as_channels_are_batch_norm(cls: type[Whitening]) -> None:
    """Output, first and second derivatives, running averages; in training and evaluation."""
    layer, norm = cls(4, groups=4).double(), BatchNorm2d(4).double()
    x = correlated(10)[:5, :, :, None]
    for training in (True, False):
        found, expected = (observe(m.train(training), x) for m in (layer, norm))
        found["buffer running_var"] = found.pop("buffer running_covariance").flatten()
        for name, value in expected.items():
            assert relative_error(found[name], value) <= 1e-10, name


@BOTH
def test_the_diagonal_of_the_running_covariance_is_batch_norms_variance(
    cls: type[Whitening],
) -> None:
    layer, norm = cls(4, momentum=0.3).double(), BatchNorm2d(4, momentum=0.3).double()
    for seed in range(3):
        x = seeded(correlated(10)[:, :, :, None], seed)
        layer(x), norm(x)
    torch.testing.assert_close(layer.running_covariance[0].diagonal(), norm.running_var)
    torch.testing.assert_close(layer.running_mean, norm.running_mean)


# The gradient


def spd(*eigenvalues: float) -> Tensor:
    basis = torch.linalg.qr(seeded(torch.empty(3, 3, dtype=torch.float64), 1))[0]
    return basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T


@pytest.mark.parametrize("eps", [0.0, 0.5])
@pytest.mark.parametrize(
    "sigma",
    [2 * torch.eye(3, dtype=torch.float64), spd(2, 2, 5), spd(2, 2 + 1e-13, 5), spd(1, 2, 3)],
    ids=["all equal", "two equal", "two nearly equal", "distinct"],
)
def test_inverse_root_where_eigenvalues_are_equal(sigma: Tensor, eps: float) -> None:
    """First and second derivative by finite differences, among symmetric matrices."""

    def root(a: Tensor) -> Tensor:
        return inverse_root((a + a.mT) / 2, eps)

    w, eye = root(sigma), torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(w @ (sigma + eps * eye) @ w, eye, rtol=1e-12, atol=1e-12)
    a = sigma.clone().requires_grad_()
    assert gradcheck(root, a)
    assert gradgradcheck(root, a)


def test_the_derivative_through_eigenvectors_breaks_there() -> None:
    """What the Sylvester equation is for."""

    def composed(a: Tensor) -> Tensor:
        eigenvalues, u = torch.linalg.eigh((a + a.mT) / 2)
        return (u * eigenvalues.rsqrt()) @ u.mT

    a = (2 * torch.eye(3, dtype=torch.float64)).requires_grad_()
    g = spd(1, 2, 3)
    try:
        (broken,) = torch.autograd.grad(composed(a), a, g)
    except RuntimeError:
        broken = torch.full_like(a, float("nan"))
    (ours,) = torch.autograd.grad(inverse_root((a + a.mT) / 2), a, g)
    torch.testing.assert_close(ours, -g / (2 * 2**1.5), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(broken, ours)


def test_third_derivative() -> None:
    a, g = spd(2, 2, 5).requires_grad_(), spd(1, 2, 3)

    def gradient(a: Tensor) -> Tensor:
        root = inverse_root((a + a.mT) / 2)
        return torch.autograd.grad(root, a, g, create_graph=True)[0]

    assert gradgradcheck(gradient, a, fast_mode=True)


@BOTH
def test_a_batch_whose_covariance_is_a_multiple_of_the_identity(cls: type[Whitening]) -> None:
    """Every eigenvalue is equal: the layer's own derivatives, by finite differences."""
    x = torch.cat([torch.eye(3), -torch.eye(3)]).double().requires_grad_()
    layer = cls(3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1, 2]))
    assert gradcheck(layer, x)
    assert gradgradcheck(layer, x, fast_mode=True)


def test_the_gradient_is_a_projection_too() -> None:
    """dx = W (h - mean(h) - T xhat), with T between K = mean(h xhat^T) and its transpose:
    T = (w_i K + w_j K^T) / (w_i + w_j) in the eigenbasis of W. One channel gives BatchNorm's.
    """
    x, eps = correlated(10)[:6], 0.2
    h = seeded(x, 4)
    leaf = x.clone().requires_grad_()
    (dx,) = torch.autograd.grad(plain(DecorrelatedBatchNorm, eps=eps)(leaf), leaf, h)
    data, upstream = rows(x.numpy()), rows(h.numpy())
    eigenvalues, u = np.linalg.eigh(covariance(x) + eps * np.eye(4))
    w = 1 / np.sqrt(eigenvalues)
    xhat, upstream = (data - data.mean(0)) @ (u * w), upstream @ u  # in the eigenbasis
    k = upstream.T @ xhat / len(data)
    t = (w[:, None] * k + w[None, :] * k.T) / (w[:, None] + w[None, :])
    expected = (w * (upstream - upstream.mean(0) - xhat @ t.T)) @ u.T
    np.testing.assert_allclose(rows(dx.numpy()), expected, atol=1e-12)


# Newton's iteration


def test_more_iterations_reach_zca_where_the_covariance_is_well_conditioned() -> None:
    x = correlated(3)
    zca = plain(DecorrelatedBatchNorm)(x)
    errors = [relative_error(plain(IterNorm, iterations=t)(x), zca) for t in range(12)]
    assert errors[-1] <= 1e-12
    # Quadratic at last: an error is about the square of the one before.
    assert all(b < a for a, b in itertools.pairwise(errors) if a > 1e-8)
    late = [e for e in errors if 1e-5 < e < 0.1]
    assert all(b <= 2 * a**2 for a, b in itertools.pairwise(late))
    assert errors[5] <= 0.05


@pytest.mark.parametrize("condition", [3, 100, 1e4])
@pytest.mark.parametrize("iterations", [0, 1, 5, 9])
def test_every_direction_follows_the_iteration_by_itself(condition: float, iterations: int) -> None:
    """The output's variance along an eigenvector is s p^2, with s the direction's share of all
    variance and p after p <- (3 p - p^3 s) / 2: for small s about s (3/2)^(2 T), not 1."""
    x = correlated(condition)
    y = plain(IterNorm, iterations=iterations)(x)
    eigenvalues, u = np.linalg.eigh(covariance(x))
    s = eigenvalues / eigenvalues.sum()
    p = np.ones(4)
    for _ in range(iterations):
        p = (3 * p - p**3 * s) / 2
    np.testing.assert_allclose(u.T @ covariance(y) @ u, np.diag(s * p**2), atol=1e-12)
    assert (s * p**2 <= s * 1.5 ** (2 * iterations) * (1 + 1e-12)).all()


def test_five_iterations_do_not_reach_zca_where_it_is_ill_conditioned() -> None:
    x = correlated(1e4)
    least = np.linalg.eigvalsh(covariance(plain(IterNorm)(x)))[0]
    assert least < 0.01  # 1 would be white
    assert np.linalg.eigvalsh(covariance(plain(IterNorm, iterations=25)(x)))[0] > 0.99


def test_more_iterations_do_not_diverge_where_it_is_ill_conditioned() -> None:
    """As written, rounding errors that do not commute with Sigma grow in every iteration."""
    x = correlated(1e4)
    zca = plain(DecorrelatedBatchNorm)(x)
    assert relative_error(plain(IterNorm, iterations=80)(x), zca) <= 1e-9
    with np.errstate(all="ignore"):
        as_written = newton(covariance(x), 80)
    assert not np.abs(as_written).max() < 1e6  # NaN, too


# Hostile input


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
@BOTH
def test_fewer_values_than_channels(cls: type[Whitening], scale: float) -> None:
    """The covariance has eigenvalues of 0, which rounding makes negative."""
    x = (scale * seeded(torch.empty(4, 12), 0)).requires_grad_()
    layer = cls(12)
    y = layer(x)
    (g,) = torch.autograd.grad(y.square().sum() + y.sum(), x)
    for value in (y, g, layer.running_covariance, layer.eval()(x)):
        assert torch.isfinite(value).all()
    assert y.abs().max() <= 3  # no direction has more than its variance


@BOTH
def test_a_small_deviation_around_a_large_mean(cls: type[Whitening]) -> None:
    x = 3000 + 0.01 * correlated(3)
    expected = plain(cls, eps=1e-5)(x)
    found = plain(cls, eps=1e-5).float()(x.float()).double()
    # x itself is rounded by 1e-4, which is 1e-2 of its deviation.
    assert relative_error(found, expected) <= 0.05


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@BOTH
def test_what_is_not_finite_raises_no_error_of_an_eigensolver(
    cls: type[Whitening], bad: float
) -> None:
    """A run that diverges has NaN in its loss, as with BatchNorm."""
    x = correlated(3)
    x[0, 0, 0] = bad
    x = torch.cat([x, correlated(3)], 1).requires_grad_()
    y = cls(8, groups=2, affine=False).double()(x)
    assert y[:, :4].isnan().all()
    assert torch.isfinite(y[:, 4:]).all()
    y.sum().backward()


@BOTH
def test_autocast_does_not_round_the_covariance(cls: type[Whitening]) -> None:
    x = correlated(10).float()
    for training in (True, False):
        layer = cls(4).train(training)
        twin = copy.deepcopy(layer)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = layer(x)
        assert torch.equal(found, twin(x))


@COMPILER
@BOTH
def test_images_of_several_sizes_in_one_graph(cls: type[Whitening]) -> None:
    torch.compiler.reset()
    layer = cls(4)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager", dynamic=True)
    for size in (3, 5):
        x = correlated(2, shape=(50, size)).float()
        torch.testing.assert_close(compiled(x), layer(x))


@BOTH
def test_an_empty_batch_changes_nothing(cls: type[Whitening]) -> None:
    layer = cls(4)
    assert layer(torch.empty(0, 4, 3)).shape == (0, 4, 3)
    assert torch.equal(layer.running_covariance[0], torch.eye(4))


@BOTH
def test_reset(cls: type[Whitening]) -> None:
    layer = cls(4, groups=2)
    fresh = copy.deepcopy(layer.state_dict())
    layer(correlated(3).float())
    assert not torch.equal(layer.running_covariance, fresh["running_covariance"])
    layer.reset_parameters()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, fresh[name]), name


@BOTH
def test_errors(cls: type[Whitening]) -> None:
    with pytest.raises(ValueError, match="groups=3 does not divide 4 channels"):
        cls(4, groups=3)
    with pytest.raises(ValueError, match=r"eps.*-1"):
        cls(4, eps=-1)
    with pytest.raises(ValueError, match=r"momentum=2"):
        cls(4, momentum=2)
    with pytest.raises(ValueError, match=r"\(N, 4, \.\.\.\), got \(2, 3\)"):
        cls(4)(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="at least 2 values per channel"):
        cls(4)(torch.zeros(1, 4))
    with pytest.raises(ValueError, match="iterations=-1"):
        IterNorm(4, iterations=-1)
