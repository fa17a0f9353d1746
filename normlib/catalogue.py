"""The one table of methods: layers, models, tests and the book's tables are made from it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn
from torch.nn.utils import parametrizations

from normlib import layers
from normlib.errors import NormlibError
from normlib.records.choices import suggest

Kind = Literal["none", "sphere", "pointwise"]
Shape = tuple[int, ...]


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


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method of normalization.

    Attributes:
        name: As experiments and commands call it.
        title: As people call it.
        family: batch, sample, weight, pointwise or none: where its statistics come from.
        kind: sphere (a projection), pointwise (no statistics) or none.
        projected: What is normalized: an activation or a weight.
        axes: Dimensions of the statistics, named as in N x C x H x W; for a weight, of
            O x I x KH x KW.
        centered: Whether the mean is taken away.
        learnable: Shape of scale and shift: per channel, per element, or none.
        running: Whether evaluation uses running averages of the statistics.
        paper: Who, when and where.
        layer: Builds the module for activations of shape (C, H, W).
        parametrize: Changes a layer's weight in place; for methods on weights.
    """

    name: str
    title: str
    family: Literal["none", "batch", "sample", "weight", "pointwise"]
    kind: Kind
    projected: Literal["activation", "weight", "nothing"] = "activation"
    axes: str = ""
    centered: bool = False
    learnable: Literal["", "scale, shift per channel", "scale, shift per element",
                       "scale per element", "scale per filter"] = ""  # fmt: skip
    running: bool = False
    paper: str = ""
    layer: Callable[[Shape, Options], nn.Module] = lambda shape, options: nn.Identity()
    parametrize: Callable[[nn.Module], nn.Module] | None = None

    def build(
        self, shape: Shape, *, eps: float | None = None, groups: int | None = None
    ) -> nn.Module:
        """Return the module that follows a layer whose output has ``shape`` (C, H, W).

        A method on weights has nothing to do there and gives the identity.

        Args:
            shape: Channels, height and width, without the batch.
            eps: Added to the variance; None for the method's default.
            groups: Of GroupNorm; None for 8.

        Raises:
            CatalogueError: the groups do not divide the channels.
        """
        return self.layer(tuple(shape), Options(eps, groups))

    def apply_to(self, module: nn.Module) -> nn.Module:
        """Normalize the weight of ``module``, in place, if this is a method on weights."""
        return module if self.parametrize is None else self.parametrize(module)


def _group(make: type[nn.GroupNorm]) -> Callable[[Shape, Options], nn.Module]:
    def build(shape: Shape, options: Options) -> nn.Module:
        groups = 8 if options.groups is None else options.groups
        if shape[0] % groups:
            raise CatalogueError(
                f"groups={groups} does not divide {shape[0]} channels; choose a divisor"
            )
        return make(groups, shape[0], options.eps_or(1e-5))

    return build


_IOFFE = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167"
_STAMP = "Peerthum and Stamp 2023"
_BA = "Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450"
_CHANNEL: Literal["scale, shift per channel"] = "scale, shift per channel"
_ELEMENT: Literal["scale, shift per element"] = "scale, shift per element"

_METHODS = (
    Method(name="none", title="no normalization", family="none", kind="none", projected="nothing"),
    Method(
        name="batch",
        title="BatchNorm",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=_CHANNEL,
        running=True,
        paper=_IOFFE,
        layer=lambda shape, o: layers.BatchNorm2d(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="batch-batchstats",
        title="BatchNorm without running averages",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=_CHANNEL,
        paper=_IOFFE,
        layer=lambda shape, o: layers.BatchNorm2d(
            shape[0], o.eps_or(1e-5), track_running_stats=False
        ),
    ),
    Method(
        name="batch-minus",
        title="BatchNorm without scale and shift",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        running=True,
        paper=_STAMP,
        layer=lambda shape, o: layers.BatchNormMinus(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="affine",
        title="scale and shift alone",
        family="pointwise",
        kind="pointwise",
        learnable=_CHANNEL,
        paper=_STAMP,
        layer=lambda shape, o: layers.AffineLayer(shape[0]),
    ),
    Method(
        name="layer",
        title="LayerNorm",
        family="sample",
        kind="sphere",
        axes="CHW",
        centered=True,
        learnable=_ELEMENT,
        paper=_BA,
        layer=lambda shape, o: layers.LayerNorm(list(shape), o.eps_or(1e-5)),
    ),
    Method(
        name="layer-channels",
        title="LayerNorm over channels, per position",
        family="sample",
        kind="sphere",
        axes="C",
        centered=True,
        learnable=_CHANNEL,
        paper=_BA,
        layer=lambda shape, o: layers.LayerNormChannels(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="group",
        title="GroupNorm",
        family="sample",
        kind="sphere",
        axes="(C/G)HW",
        centered=True,
        learnable=_CHANNEL,
        paper="Wu and He 2018, https://arxiv.org/abs/1803.08494",
        layer=_group(layers.GroupNorm),
    ),
    Method(
        name="instance",
        title="InstanceNorm",
        family="sample",
        kind="sphere",
        axes="HW",
        centered=True,
        paper="Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022",
        layer=lambda shape, o: layers.InstanceNorm2d(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="rms",
        title="RMSNorm",
        family="sample",
        kind="sphere",
        axes="CHW",
        learnable="scale per element",
        paper="Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467",
        layer=lambda shape, o: layers.RMSNorm(list(shape), o.eps),
    ),
    Method(
        name="weight",
        title="weight normalization",
        family="weight",
        kind="sphere",
        projected="weight",
        axes="I KH KW",
        learnable="scale per filter",
        paper="Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868",
        parametrize=layers.weight_norm,
    ),
)

_TORCH: Mapping[str, Callable[[Shape, Options], nn.Module]] = {
    "none": lambda shape, o: nn.Identity(),
    "batch": lambda shape, o: nn.BatchNorm2d(shape[0], o.eps_or(1e-5)),
    "layer": lambda shape, o: nn.LayerNorm(list(shape), o.eps_or(1e-5)),
    "layer-channels": lambda shape, o: layers.LayerNormChannels(
        shape[0], norm=nn.LayerNorm(shape[0], o.eps_or(1e-5))
    ),
    "group": _group(nn.GroupNorm),
    "instance": lambda shape, o: nn.InstanceNorm2d(shape[0], o.eps_or(1e-5)),
    "rms": lambda shape, o: nn.RMSNorm(list(shape), o.eps),
    "weight": lambda shape, o: nn.Identity(),
}


class Catalogue(Mapping[str, Method]):
    """Methods by name; iterating gives normlib's own, ``torch:<name>`` the framework's."""

    def __init__(self, methods: tuple[Method, ...]) -> None:
        self._methods = {method.name: method for method in methods}

    def __getitem__(self, name: str) -> Method:
        framework, colon, own = name.rpartition(":")
        method = self._methods.get(own)
        if method is not None and not colon:
            return method
        if method is not None and framework == "torch" and own in _TORCH:
            return replace(
                method,
                name=name,
                layer=_TORCH[own],
                parametrize=parametrizations.weight_norm if own == "weight" else None,
            )
        known = [*self._methods, *(f"torch:{peer}" for peer in _TORCH)]
        raise CatalogueError(f"method {name!r:.60} is unknown; {suggest(name, known)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)


catalogue = Catalogue(_METHODS)
