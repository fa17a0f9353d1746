"""Who is invariant to what, measured: nine transformations of a convolution or of its input.

A method follows a convolution without bias and padding (a method on weights acts on that
convolution's weight), in training mode, in double precision. A transformation that multiplies what
is normalized by ``a`` leaves the output exactly as it was if ``eps`` goes along:

    f(a x; a**p eps) = f(x; eps),   p = 2 where eps is added to a variance, 1 to a length.

So nothing is tested with a loose tolerance. Where every filter or sample has a factor of its own,
the statement holds for each of them with its own ``eps``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from normlib.methods import Method, Transformation
from normlib.theory.behind import behind, set_eps

#: Residuals up to this are rounding; whitening inverts matrices, and loses a few digits.
BOUND = 1e-9


@dataclass(frozen=True)
class Setting:
    """A convolution's weight (O, I, KH, KW), its input (N, I, H, W), and the method's options."""

    weight: Tensor
    x: Tensor
    eps: float = 1e-3
    groups: int = 2

    @staticmethod
    def drawn(
        seed: int, samples: int = 6, channels: int = 2, filters: int = 4, size: int = 6
    ) -> "Setting":
        """Return random weights and an input whose channels and samples differ in scale."""
        random = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=random, dtype=torch.float64)

        scales = 0.5 + torch.rand(samples, 1, 1, 1, generator=random, dtype=torch.float64)
        x = (normal(samples, channels, size, size) + normal(1, channels, 1, 1)) * scales
        return Setting(normal(filters, channels, 3, 3), x)


Compared = tuple[Tensor, Tensor]
"""What came out after the transformation, and what should have, were the method invariant."""


def _factors(*shape: int) -> Tensor:
    """Return numbers in 1.5..3.5, the same for the same shape."""
    random = torch.Generator().manual_seed(sum(shape))
    return 1.5 + 2 * torch.rand(shape, generator=random, dtype=torch.float64)


def _output(method: Method, setting: Setting, factor: float = 1.0) -> Tensor:
    """Return what convolution and method give, ``eps`` going with a ``factor`` of scale."""
    weight, x = setting.weight, setting.x
    torch.manual_seed(0)  # of methods that draw noise or a starting vector
    network = behind(method, weight, x, eps=setting.eps, groups=setting.groups)
    if hasattr(network[1], "ghost_size"):  # smaller than the batch, or it would be BatchNorm
        network[1].ghost_size = 2  # type: ignore[assignment]  # to mypy all attributes are tensors
    set_eps(network, setting.eps * factor**method.eps_power)
    with torch.no_grad():
        torch.manual_seed(0)
        y: Tensor = network(x)
    return y


def _weight_scaled(method: Method, s: Setting) -> Compared:
    a = float(_factors(1))
    return _output(method, replace(s, weight=s.weight * a), a), _output(method, s)


def _filters_scaled(method: Method, s: Setting) -> Compared:
    a = _factors(len(s.weight))
    changed = replace(s, weight=s.weight * a.view(-1, 1, 1, 1))
    found = [_output(method, changed, float(f))[:, o] for o, f in enumerate(a)]
    return torch.stack(found, 1), _output(method, s)


def _tensor_added(method: Method, s: Setting) -> Compared:
    changed = replace(s, weight=s.weight + _factors(*s.weight.shape[1:]))
    return _output(method, changed), _output(method, s)


def _constant_added(method: Method, s: Setting) -> Compared:
    changed = replace(s, weight=s.weight + _factors(len(s.weight), 1, 1, 1))
    return _output(method, changed), _output(method, s)


def _inputs_scaled(method: Method, s: Setting) -> Compared:
    a = float(_factors(1))
    return _output(method, replace(s, x=s.x * a), a), _output(method, s)


def _inputs_shifted(method: Method, s: Setting) -> Compared:
    changed = replace(s, x=s.x + _factors(1, s.x.shape[1], 1, 1))
    return _output(method, changed), _output(method, s)


def _samples_scaled(method: Method, s: Setting) -> Compared:
    a = _factors(len(s.x), 1, 1, 1)
    changed = replace(s, x=s.x * a)
    found = [_output(method, changed, float(f))[n] for n, f in enumerate(a.flatten())]
    return torch.stack(found), _output(method, s)


def _batch_split(method: Method, s: Setting) -> Compared:
    parts = [_output(method, replace(s, x=x)) for x in s.x.split(len(s.x) // 2)]
    return torch.cat(parts), _output(method, s)


def _batch_permuted(method: Method, s: Setting) -> Compared:
    order = torch.arange(len(s.x)).roll(1)
    return _output(method, replace(s, x=s.x[order])), _output(method, s)[order]


TRANSFORMATIONS: Mapping[Transformation, Callable[[Method, Setting], Compared]] = {
    "weight scaled": _weight_scaled,
    "filters scaled": _filters_scaled,
    "tensor added to filters": _tensor_added,
    "constant added in filters": _constant_added,
    "inputs scaled": _inputs_scaled,
    "inputs shifted": _inputs_shifted,
    "samples scaled": _samples_scaled,
    "batch split": _batch_split,
    "batch permuted": _batch_permuted,
}


def residual(method: Method, transformation: Transformation, setting: Setting) -> float:
    """Return how far the transformation moves the output, relative to its largest entry.

    ``max |f(T) - f| / max |f|``, with ``eps`` going along as stated above; up to `BOUND` it is
    rounding, and the method is invariant.
    """
    found, expected = TRANSFORMATIONS[transformation](method, setting)
    return float((found - expected).abs().max() / expected.abs().max())


def measured(methods: Iterable[Method], setting: Setting) -> list[dict[str, Any]]:
    """Return a row for each method and transformation.

    Each has ``method``, ``title``, ``family``, ``transformation``, ``residual``, ``invariant``
    (measured) and ``declared`` (by the catalogue).
    """
    rows = []
    for method in methods:
        for transformation in TRANSFORMATIONS:
            r = residual(method, transformation, setting)
            rows.append(
                {
                    "method": method.name,
                    "title": method.title,
                    "family": method.family,
                    "transformation": transformation,
                    "residual": r,
                    "invariant": r <= BOUND,
                    "declared": transformation in method.invariant_to,
                }
            )
    return rows
