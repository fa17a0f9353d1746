"""What all of BatchNorm's relatives refuse, and what they survive."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from normlib.layers.centering import MeanOnlyBatchNorm
from normlib.layers.evonorm import EvoNormB0
from normlib.layers.ghost import GhostBatchNorm
from normlib.layers.l1 import L1BatchNorm
from normlib.layers.noisy import NoisyBatchNorm
from normlib.layers.population import PopulationBatchNorm
from normlib.layers.power import PowerNorm
from normlib.layers.relative import BatchRelative
from normlib.layers.renorm import BatchRenorm
from tests.layers.relatives import C, drawn

ALL = (
    MeanOnlyBatchNorm, BatchRenorm, GhostBatchNorm, L1BatchNorm, NoisyBatchNorm,
    PopulationBatchNorm, PowerNorm, EvoNormB0,
)  # fmt: skip
CENTERED = [cls for cls in ALL if cls is not PowerNorm]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PowerNorm(0), "num_features=0 is no number of channels"),
        (lambda: EvoNormB0(0), "num_features=0 is no number of channels"),
        (lambda: L1BatchNorm(C, eps=-1e-5), "at least 0, got -1e-05"),
        (lambda: L1BatchNorm(C, eps=math.nan), "at least 0, got nan"),
        (lambda: MeanOnlyBatchNorm(C, momentum=1.5), "momentum=1.5 is not in 0..1"),
        (lambda: PopulationBatchNorm(C, momentum=None), "momentum=None is not in 0..1"),
        (lambda: BatchRenorm(C, r_max=0.5), "r_max=0.5 is no largest factor"),
        (lambda: BatchRenorm(C, r_max=math.inf), "r_max=inf is no largest factor"),
        (lambda: BatchRenorm(C, d_max=-1), "d_max=-1 is no largest shift"),
        (lambda: BatchRenorm(C, r_ramp=(5, 5)), "r_ramp=(5, 5) is no ramp"),
        (lambda: BatchRenorm(C, d_ramp=(-1, 5)), "d_ramp=(-1, 5) is no ramp"),
        (lambda: GhostBatchNorm(C, ghost_size=0), "ghost_size=0 is no number of samples"),
        (lambda: NoisyBatchNorm(C, n_mu=-1), "n_mu=-1 is no size of noise"),
        (lambda: NoisyBatchNorm(C, r_sigma=math.nan), "r_sigma=nan is no size of noise"),
    ],
)
def test_wrong_arguments(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


@pytest.mark.parametrize("cls", ALL)
def test_wrong_shapes(cls: type[BatchRelative]) -> None:
    for shape in ((C,), (6, C + 1), (6, 1, C)):
        for training in (True, False):
            with pytest.raises(ValueError, match=rf"\(N, {C}.*got {re.escape(str(shape))}"):
                cls(C).train(training)(torch.zeros(shape))


@pytest.mark.parametrize("cls", CENTERED)
def test_a_single_value_per_channel_has_no_statistics(cls: type[BatchRelative]) -> None:
    layer = cls(C)
    with pytest.raises(ValueError, match="at least 2 values per channel"):
        layer(torch.zeros(1, C, 1))
    assert layer.num_batches_tracked == 0
    assert layer.eval()(torch.zeros(1, C, 1)).shape == (1, C, 1)


@pytest.mark.parametrize("cls", ALL)
def test_an_empty_batch_changes_nothing(cls: type[BatchRelative]) -> None:
    layer = cls(C)
    state = copy.deepcopy(layer.state_dict())
    y = layer(torch.zeros(0, C, 3, requires_grad=True))
    y.sum().backward()
    assert y.shape == (0, C, 3)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.parametrize("cls", CENTERED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_constant_channel_gives_beta_and_finite_gradients(
    cls: type[BatchRelative], dtype: torch.dtype
) -> None:
    layer = cls(C)
    x = torch.full((6, C, 3), 3000.0, dtype=dtype).requires_grad_()
    y = layer(x)
    y.sum().backward()
    assert torch.isfinite(x.grad).all()
    if cls in (MeanOnlyBatchNorm, BatchRenorm, GhostBatchNorm, L1BatchNorm):
        assert not y.any()


@pytest.mark.parametrize("cls", ALL)
def test_a_small_spread_around_a_large_mean(cls: type[BatchRelative]) -> None:
    """E[x**2] - E[x]**2 would give NaN at mean 3000 and deviation 0.01 in float32."""
    x = (drawn(64, C, 5) * 0.01 + 3000).float()
    found, expected = [], []
    for dtype, into in ((torch.float32, found), (torch.float64, expected)):
        torch.manual_seed(0)
        layer = cls(C).to(dtype)
        into += [layer(x.to(dtype)), *layer.buffers()]
    for ours, exact in zip(found, expected, strict=True):
        assert torch.isfinite(ours).all()
        torch.testing.assert_close(ours.double(), exact.double(), rtol=1e-3, atol=1e-1)


@pytest.mark.parametrize("cls", ALL)
def test_reset_and_text(cls: type[BatchRelative]) -> None:
    layer = cls(C)
    layer(drawn(6, C, 3).float()).sum().backward()
    fresh = cls(C).state_dict()
    assert any(not torch.equal(v, fresh[k]) for k, v in layer.state_dict().items())
    layer.reset_parameters()
    for name, value in layer.state_dict().items():
        assert torch.equal(value, fresh[name]), name
    assert str(layer).startswith(f"{cls.__name__}({C}, ")


@pytest.mark.parametrize("cls", ALL)
def test_tools_for_batch_norm_do_not_take_them_for_it(cls: type[BatchRelative]) -> None:
    """Synchronized BatchNorm would silently replace what makes the method."""
    model = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(cls(C)))
    assert type(model[0]) is cls
