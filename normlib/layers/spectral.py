"""Spectral normalization: a weight divided by its largest singular value."""

import torch
from torch import Tensor, nn

from normlib.layers.weight import dims_within, output_dim, register
from normlib.precision import full_precision, wide


class SpectralNorm(nn.Module):
    """Divide by the largest singular value: ``w = v / sigma`` with ``sigma = u1^T V v1``.

    ``V`` is the weight as a matrix, one row for each entry of ``dim``. Its singular vectors ``u1``
    and ``v1`` are buffers (``_u`` and ``_v``, as torch's); at every forward pass in training,
    before they are used, ``n_power_iterations`` of ``u1 = V v1 / norm(V v1)``,
    ``v1 = V^T u1 / norm(V^T u1)`` bring them closer. A vector is divided by its length.

    They count as constants. Where the iteration has converged that is the derivative, and
    otherwise, in training, the backward is not the derivative of the forward but

        dv = (dw - <dw, w> u1 v1^T) / sigma

    ``sigma`` is not the operator norm of a convolution. That is the largest singular value of the
    map between images; for stride 1 it lies between ``sigma`` and ``sqrt(KH * KW) * sigma``, so
    that a normalized 3x3 convolution may stretch its input threefold (and does, if all its
    weights are equal).

    Args:
        weight: What shall be normalized: it decides shape, type and start of the buffers.
        n_power_iterations: Steps of the iteration per forward pass in training.
        dim: The dimension that is the matrix's rows.
        eps: Least length that a vector is divided by.

    Shape:
        ``v`` as the weight, and the same out.

    Raises:
        ValueError: ``n_power_iterations`` is less than 1.
        IndexError: the weight has no dimension ``dim``.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957; Sedghi, Gupta and Long 2019,
    https://arxiv.org/abs/1805.10408 (the singular values of a convolution)
    """

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if n_power_iterations < 1:
            raise ValueError(
                f"n_power_iterations={n_power_iterations} leaves the singular vectors where they "
                "are; choose 1 or more"
            )
        dims_within(weight, dim)
        self.dim, self.n_power_iterations, self.eps = dim, n_power_iterations, eps
        if weight.dim() > 1:
            # Drawn and iterated as torch does it, so that one seed gives the same vectors.
            with torch.no_grad():
                matrix = self._matrix(weight)
                u, v = (_unit(matrix.new_empty(n).normal_(), eps) for n in matrix.shape)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            self._iterate(wide(matrix), 15)

    def forward(self, v: Tensor) -> Tensor:
        """Return the weight."""
        w = wide(v)
        if v.dim() == 1:
            return _unit(w, self.eps).to(v.dtype)
        matrix = self._matrix(w)
        with full_precision(v):
            if self.training:
                self._iterate(matrix, self.n_power_iterations)
            # Copies: the buffers may change between this pass and its backward.
            u1, v1 = wide(self._u.clone()), wide(self._v.clone())
            return (w / (u1 @ (matrix @ v1))).to(v.dtype)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return ``weight``: an inverse only of weights whose singular value is 1 already."""
        return weight

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    def _iterate(self, matrix: Tensor, steps: int) -> None:
        with torch.no_grad():
            v1 = wide(self._v)
            for _ in range(steps):
                u1 = _unit(matrix @ v1, self.eps)
                v1 = _unit(matrix.mT @ u1, self.eps)
            self._u.copy_(u1)
            self._v.copy_(v1)

    def extra_repr(self) -> str:
        """Return what decides the weight."""
        return f"n_power_iterations={self.n_power_iterations}, dim={self.dim}, eps={self.eps}"


def spectral_norm(
    module: nn.Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> nn.Module:
    """Divide the parameter ``name`` of ``module`` by its largest singular value.

    The free parameter is ``parametrizations.<name>.original``, the buffers are
    ``parametrizations.<name>.0._u`` and ``_v``: named and shaped as torch's, so that state_dicts
    can be exchanged. They move at every forward pass in training mode, and only there. What the
    singular value of a convolution's weight does not bound stands at `SpectralNorm`.

    Args:
        module: Any module, changed in place and returned.
        name: Which of its parameters.
        n_power_iterations: Steps of the power iteration per forward pass in training.
        eps: Least length that a vector is divided by.
        dim: The dimension that is the matrix's rows; None for 0, or 1 in a transposed convolution.

    Raises:
        NormlibError: the module has no such parameter, or is normalized already.
        ValueError: ``n_power_iterations`` is less than 1.
        IndexError: the parameter has no dimension ``dim``.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957
    """
    rows = output_dim(module) if dim is None else dim
    return register(
        module, name, lambda weight: SpectralNorm(weight, n_power_iterations, rows, eps)
    )


def _unit(x: Tensor, eps: float) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x).clamp_min(eps)
    return x / length
