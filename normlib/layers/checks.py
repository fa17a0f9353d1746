"""Checks of arguments and inputs; each error says what was wrong and what to give instead."""

from torch import Tensor


def check_channels(x: Tensor, num_features: int, least: int = 2) -> None:
    """Refuse an input that is not (N, C, ...) with at least ``least`` dimensions.

    Raises:
        ValueError: too few dimensions, or not ``num_features`` channels in dimension 1.
    """
    if x.dim() < least or x.shape[1] != num_features:
        spatial = ", L" * (least - 2)
        raise ValueError(
            f"expected an input of shape (N, {num_features}{spatial}, ...), got {tuple(x.shape)}"
        )


def check_eps(eps: float) -> None:
    """Refuse an eps with which the root of a statistic may not exist.

    Raises:
        ValueError: ``eps`` is negative.
    """
    if eps < 0:
        raise ValueError(f"eps is added under a root and must be at least 0, got {eps}")


def check_groups(num_features: int, groups: int) -> None:
    """Refuse groups that do not divide the channels.

    Raises:
        ValueError: ``groups`` is below 1 or does not divide ``num_features``.
    """
    if groups < 1 or num_features % groups:
        raise ValueError(
            f"groups={groups} does not divide {num_features} channels; choose a divisor"
        )
