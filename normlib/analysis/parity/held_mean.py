"""TensorFlow's second derivative: the variance's mean taken for a constant.

``tf.nn.moments`` stops the gradient at the mean inside ``mean((x - mu)**2)``. The first derivative
is right all the same, since the derivative of the variance by that mean is zero; its own derivative
is not, so the second derivative by x lacks a term. Imports torch when called.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.analysis.parity.cases import Case


def second_derivative(case: Case, *, held: bool) -> NDArray[Any]:
    """Return ``hx`` by automatic differentiation of the formula in float64.

    With ``held`` the mean inside the variance is a constant, as in TensorFlow. For methods that
    center, in training.
    """
    import torch

    x = torch.from_numpy(case.x.copy()).requires_grad_()
    gy, u, gamma = (torch.from_numpy(a.copy()) for a in (case.gy, case.u, case.gamma))
    shape, dims = case.grouped
    a = x.reshape(shape)
    mu = a.mean(dims, keepdim=True)
    around = mu.detach() if held else mu
    sigma2 = ((a - around) ** 2).mean(dims, keepdim=True)
    xhat = ((a - mu) / torch.sqrt(sigma2 + case.eps)).reshape(x.shape)
    y = xhat * (gamma if gamma.ndim == 3 else gamma[:, None, None])
    (gx,) = torch.autograd.grad(y, x, gy, create_graph=True)
    (hx,) = torch.autograd.grad((u * gx).sum(), x)
    return np.array(hx.numpy())
