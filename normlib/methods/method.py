"""What the catalogue says of one method."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from normlib.errors import NormlibError
from normlib.layers.checks import check_groups

Shape = tuple[int, ...]
Family = Literal[
    "none", "batch", "sample", "weight", "whitening", "mixture", "domain", "pointwise", "training"
]
Kind = Literal[
    "none",
    "sphere",
    "hyperplane",
    "whitening",
    "mixture",
    "divisive",
    "pointwise",
    "initialization",
    "optimizer",
]
Transformation = Literal[
    "weight scaled",
    "filters scaled",
    "tensor added to filters",
    "constant added in filters",
    "inputs scaled",
    "inputs shifted",
    "samples scaled",
    "batch split",
    "batch permuted",
]


class CatalogueError(NormlibError, KeyError):
    """A method that does not exist, or one asked for something that it cannot do."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Options:
    """What a factory may be told besides the shape; None is the method's own default."""

    eps: float | None = None
    groups: int | None = None

    def eps_or(self, default: float) -> float:
        """Return ``eps``, or the method's own default."""
        return default if self.eps is None else self.eps

    def groups_of(self, channels: int, default: int) -> int:
        """Return into how many groups the channels are divided.

        Raises:
            CatalogueError: they do not divide them.
        """
        groups = default if self.groups is None else self.groups
        try:
            check_groups(channels, groups)
        except ValueError as error:
            raise CatalogueError(str(error)) from None
        return groups


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method of normalization.

    Attributes:
        name: As experiments and commands call it.
        title: As people call it.
        family: Where its statistics come from: the batch, the sample, the weight, a covariance
            (whitening), several of them (mixture), several domains, or nowhere (pointwise,
            training).
        kind: What it does: a projection onto a sphere, onto a hyperplane, a whitening, a mixture
            of projections, another division by statistics, a function of each entry, only an
            initialization, or a change of the gradients.
        projected: What is normalized: an activation, a weight, or a gradient.
        axes: Dimensions of the statistics, named as in N x C x H x W; for a weight, of
            O x I x KH x KW.
        sets: How many sets of statistics it takes.
        centered: Whether the mean is taken away.
        learnable: Scale, shift and what else is learned, and their shapes in words.
        batch_statistics: Whether a sample's output depends on its batch while training.
        running: Whether evaluation uses running averages of the statistics.
        invariant_to: The transformations of a convolution before it (of the weight, for a method
            on weights), or of its input, that leave the output as it was, while training and
            at ``eps = 0``; `normlib.theory.invariance` measures them.
        eps_power: How ``eps`` goes with the scale of what is normalized: 2 where it is added to a
            variance, 1 where it is added to a length.
        paper: Who, when and where.
        defaults: What well-known implementations do, where they disagree, by their name.
        layer: Builds the module for activations of shape (C, H, W).
        parametrize: Changes a layer's weight in place; for methods on weights.
        initialize: Changes a whole network in place; for an initialization that does without.
        clip: Changes the gradients of parameters, after backward and before the optimizer's step.
    """

    name: str
    title: str
    family: Family
    kind: Kind
    projected: Literal["activation", "weight", "gradient", "nothing"] = "activation"
    axes: str = ""
    sets: int = 1
    centered: bool = False
    learnable: str = ""
    batch_statistics: bool = False
    running: bool = False
    invariant_to: frozenset[Transformation] = frozenset({"batch split", "batch permuted"})
    eps_power: Literal[1, 2] = 2
    paper: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    layer: Callable[[Shape, Options], nn.Module] = lambda shape, options: nn.Identity()
    parametrize: Callable[[nn.Module], nn.Module] | None = None
    initialize: Callable[[nn.Module], nn.Module] | None = None
    clip: Callable[[Iterable[nn.Parameter]], None] | None = None

    def build(
        self, shape: Shape, *, eps: float | None = None, groups: int | None = None
    ) -> nn.Module:
        """Return the module that follows a layer whose output has ``shape`` (C, H, W).

        A method on weights has nothing to do there and gives the identity.

        Args:
            shape: Channels, height and width, without the batch.
            eps: Added to the variance; None for the method's default.
            groups: Of channels, where a method has them; None for the method's default.

        Raises:
            CatalogueError: the groups do not divide the channels.
        """
        return self.layer(tuple(shape), Options(eps, groups))

    def apply_to(self, module: nn.Module) -> nn.Module:
        """Normalize the weight of ``module``, in place, if this is a method on weights."""
        return module if self.parametrize is None else self.parametrize(module)
