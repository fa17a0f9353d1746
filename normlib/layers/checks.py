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


def check_entries(x: Tensor, **parameters: Tensor | None) -> None:
    """Refuse an input (N, C, ...) for which these do not have one entry per channel.

    A single entry, or a single channel, would be broadcast.

    Raises:
        RuntimeError: one of ``parameters`` has not as many entries as ``x`` has channels.
    """
    for name, parameter in parameters.items():
        if parameter is not None and parameter.numel() != x.shape[1]:
            raise RuntimeError(
                f"{name} has {parameter.numel()} entries, one per channel, but the input of shape "
                f"{tuple(x.shape)} has {x.shape[1]} channels"
            )


def check_features(num_features: int) -> None:
    """Refuse a number of channels that is none.

    Raises:
        ValueError: ``num_features`` is below 1.
    """
    if num_features < 1:
        raise ValueError(f"num_features={num_features} is no number of channels; give 1 or more")


def check_momentum(momentum: float) -> None:
    """Refuse a weight of the new value with which an average is none.

    Raises:
        ValueError: ``momentum`` is not in 0..1; None, BatchNorm's plain mean, is not either.
    """
    if momentum is None or not 0 <= momentum <= 1:
        raise ValueError(f"momentum={momentum} is not in 0..1; it is the new value's weight")


def check_eps(eps: float) -> None:
    """Refuse an eps with which the root of a statistic may not exist.

    Raises:
        ValueError: ``eps`` is negative, or not a number.
    """
    if not eps >= 0:
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
