"""The compiled loops against the formulas that they stand for."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from normlib import kernels
from normlib.kernels import compiling
from normlib.kernels import layout as layouts
from normlib.projection import sphere

pytestmark = pytest.mark.skipif(kernels.VERSION is None, reason="Numba is not installed")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(layouts, "SMALLEST", 1)
    yield
    torch.set_num_threads(before)


def both(
    x: Tensor, dims: tuple[int, ...], gamma: Tensor | None, beta: Tensor | None, centered: bool
) -> list[list[Tensor]]:
    """Return output, statistics and gradients, by the loops and by the formulas."""
    results, njit = [], compiling.njit
    for compiled in (True, False):
        given = {
            name: t.clone().requires_grad_()
            for name, t in (("x", x), ("gamma", gamma), ("beta", beta))
            if t is not None
        }
        try:
            compiling.njit = njit if compiled else None
            y, mu, sigma2 = sphere(dims=dims, **given, eps=1e-5, centered=centered)
            g = torch.sin(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)
            gradients = torch.autograd.grad(y, list(given.values()), g)
        finally:
            compiling.njit = njit
        results.append([t.detach() for t in (y, mu, sigma2, *gradients)])
    return results


PATTERNS = {  # dimensions of the statistics, shape of gamma as a function of x's
    "BatchNorm": ((0, 2, 3), lambda n, c, h, w: (1, c, 1, 1)),
    "InstanceNorm": ((2, 3), lambda n, c, h, w: (1, c, 1, 1)),
    "LayerNorm": ((1, 2, 3), lambda n, c, h, w: (1, c, h, w)),
    "LayerNorm, last axis": ((3,), lambda n, c, h, w: (1, 1, 1, w)),
    "per channel over C,H,W": ((1, 2, 3), lambda n, c, h, w: (1, c, 1, 1)),
    "over C": ((1,), lambda n, c, h, w: (1, c, 1, 1)),
    "over N": ((0,), lambda n, c, h, w: (1, c, h, w)),
}


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 4),
    pattern=st.sampled_from(sorted(PATTERNS)),
    parameters=st.sampled_from(["none", "gamma", "beta", "both"]),
    centered=st.booleans(),
    channels_last=st.booleans(),
    offset=st.sampled_from([0.0, 3000.0]),
)
def test_loops_and_formulas_agree(
    shape: tuple[int, int, int, int],
    pattern: str,
    parameters: str,
    centered: bool,
    channels_last: bool,
    offset: float,
) -> None:
    dims, of = PATTERNS[pattern]
    if math.prod(shape[d] for d in dims) < 2:
        return  # a single value less its mean is zero, divided by what is left
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.randn(shape, dtype=torch.double, generator=generator) + offset
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    gamma, beta = (torch.rand(of(*shape), dtype=torch.double, generator=generator) for _ in "ab")
    results = both(
        x,
        dims,
        gamma if parameters in ("gamma", "both") else None,
        beta if parameters in ("beta", "both") else None,
        centered,
    )
    for a, b in zip(*results, strict=True):
        scale = max(1.0, float(b.abs().max()))
        assert a.shape == b.shape
        assert float((a - b).abs().max()) <= (1e-9 if offset else 1e-12) * scale


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_shift_without_a_scale_is_not_lost(pattern: str) -> None:
    """The loops over rows once left it out, silently."""
    (dims, of), shape = PATTERNS[pattern], (4, 3, 5, 6)
    x, beta = torch.randn(shape), torch.randn(of(*shape))
    y, xhat = sphere(x, dims, None, beta, eps=1e-5)[0], sphere(x, dims, eps=1e-5)[0]
    torch.testing.assert_close(y, xhat + beta)


def test_the_loops_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    for name in ("project", "tangent"):
        real = getattr(kernels, name)
        monkeypatch.setattr(
            kernels, name, lambda *a, real=real, name=name: called.append(name) or real(*a)
        )
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    sphere(x, (0, 2, 3), torch.ones(1, 3, 1, 1), eps=1e-5)[0].sum().backward()
    assert called == ["project", "tangent"]


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(4, 3, 8, 8).bfloat16(),
        torch.randn(4, 3, 8, 16)[..., ::2],
        torch.randn(0, 3, 8, 8),
    ],
    ids=["half precision", "not dense", "empty"],
)
def test_where_they_do_not_apply(x: Tensor) -> None:
    assert kernels.layout_of(x, [], (0, 2, 3)) is None


def test_more_threads_are_torchs() -> None:
    torch.set_num_threads(2)
    assert kernels.layout_of(torch.randn(4, 3, 8, 8), [], (0, 2, 3)) is None


def test_what_is_not_a_number_stays_so() -> None:
    x = torch.randn(4, 3, 8, 8)
    x[1, 2, 3, 4] = math.nan
    y = sphere(x, (2, 3), eps=1e-5)[0]
    assert y[1, 2].isnan().all()
    assert y.isnan().sum() == 64


@pytest.mark.parametrize("length", [100, 511, 512, 513, 5000])
def test_long_sums_keep_their_precision(length: int) -> None:
    """float32 with a mean far above its spread, against float64."""
    generator = torch.Generator().manual_seed(length)
    exact = torch.randn(3, length, dtype=torch.double, generator=generator) * 0.01 + 3000
    x = exact.float()
    y, mu, sigma2 = sphere(x, (1,))
    centered = x.double() - x.double().mean(1, keepdim=True)
    # Sums of up to 512 terms of 3000 are rounded to units of 0.125, the mean to 2.4e-4.
    assert (mu.double() - x.double().mean(1, keepdim=True)).abs().max() < 1e-3
    assert (sigma2.double() - centered.square().mean(1, keepdim=True)).abs().max() < 1e-6
    assert y.isfinite().all()


BITS = """
import hashlib, torch
from normlib.projection import sphere
torch.set_num_threads(1)
generator, digest = torch.Generator().manual_seed(0), hashlib.sha256()
for dims, gamma in [((0, 2, 3), (1, 8, 1, 1)), ((2, 3), (1, 8, 1, 1)), ((1, 2, 3), (1, 8, 16, 16))]:
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(10, 8, 16, 16, generator=generator).to(memory_format=layout)
        leaves = [x.requires_grad_(), torch.rand(gamma, generator=generator).requires_grad_()]
        y = sphere(leaves[0], dims, leaves[1], eps=1e-5)[0]
        g = torch.randn(y.shape, generator=generator)
        for result in (y, *torch.autograd.grad(y, leaves, g)):
            digest.update(result.detach().contiguous().numpy().tobytes())
print(digest.hexdigest())
"""


def test_fresh_and_cached_code_give_the_same_bits(tmp_path: Path) -> None:
    """A helper compiled twice, alone and with its caller, once differed between the two."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    found = [
        subprocess.run(
            [sys.executable, "-c", BITS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert found[0] == found[1] != ""
    assert list(tmp_path.rglob("*.nbc"))


def test_inlined_functions_stand_in_the_file_of_the_loops_that_call_them() -> None:
    """Numba does not notice a change of another file, and would go on with what it has stored."""
    users = [
        file.name
        for file in Path(kernels.__file__).parents[1].rglob("*.py")
        if re.search(r"^@(compiled|inlined)$", file.read_text(), re.MULTILINE)
    ]
    assert users == ["loops.py"]
