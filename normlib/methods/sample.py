"""Methods with statistics within a sample."""

from normlib import layers
from normlib.methods.batch import CHANNEL
from normlib.methods.method import Method, Transformation

_BA = "Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450"

#: A sample as a whole, or large parts of it.
PER_SAMPLE: frozenset[Transformation] = frozenset(
    {"weight scaled", "inputs scaled", "samples scaled", "batch split", "batch permuted"}
)

SAMPLE = (
    Method(
        name="layer",
        title="LayerNorm",
        family="sample",
        kind="sphere",
        axes="CHW",
        centered=True,
        learnable="scale, shift per element",
        invariant_to=PER_SAMPLE,
        paper=_BA,
        defaults={
            "torch": "eps 1e-5; scale and shift of the shape normalized over",
            "Keras": "eps 1e-3; over the last axis; with axes [1, 2, 3] scale per element",
            "Flax": "eps 1e-6; over the last axis",
            "timm": "eps 1e-6; over the channels",
        },
        layer=lambda shape, o: layers.LayerNorm(list(shape), o.eps_or(1e-5)),
    ),
    Method(
        name="layer-channels",
        title="LayerNorm over channels, per position",
        family="sample",
        kind="sphere",
        axes="C",
        centered=True,
        learnable=CHANNEL,
        invariant_to=PER_SAMPLE | {"tensor added to filters"},
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
        learnable=CHANNEL,
        invariant_to=PER_SAMPLE,
        paper="Wu and He 2018, https://arxiv.org/abs/1803.08494",
        defaults={"torch": "eps 1e-5", "Flax": "eps 1e-6; 32 groups", "Keras": "eps 1e-3"},
        layer=lambda shape, o: layers.GroupNorm(o.groups_of(shape[0], 8), shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="instance",
        title="InstanceNorm",
        family="sample",
        kind="sphere",
        axes="HW",
        centered=True,
        invariant_to=PER_SAMPLE | {"filters scaled", "inputs shifted"},
        paper="Ulyanov, Vedaldi and Lempitsky 2016, https://arxiv.org/abs/1607.08022",
        defaults={"torch": "eps 1e-5; no scale and shift; batch statistics in evaluation, too"},
        layer=lambda shape, o: layers.InstanceNorm2d(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="rms",
        title="RMSNorm",
        family="sample",
        kind="sphere",
        axes="CHW",
        learnable="scale per element",
        invariant_to=PER_SAMPLE,
        paper="Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467",
        defaults={
            "torch": "eps None is the machine epsilon, that of float32 for bfloat16",
            "transformers": "eps 1e-6; over the features of a token",
        },
        layer=lambda shape, o: layers.RMSNorm(list(shape), o.eps),
    ),
    Method(
        name="scale",
        title="ScaleNorm",
        family="sample",
        kind="sphere",
        axes="CHW",
        learnable="one scale",
        invariant_to=PER_SAMPLE,
        paper="Nguyen and Salazar 2019, https://arxiv.org/abs/1910.05895",
        layer=lambda shape, o: layers.ScaleNorm(list(shape), o.eps_or(1e-5)),
    ),
    Method(
        name="frn",
        title="Filter Response Normalization",
        family="sample",
        kind="sphere",
        axes="HW",
        learnable="scale, shift, threshold per channel",
        invariant_to=PER_SAMPLE | {"filters scaled"},
        paper="Singh and Krishnan 2020, https://arxiv.org/abs/1911.09737",
        layer=lambda shape, o: layers.FilterResponseNorm(shape[0], o.eps_or(1e-6)),
    ),
    Method(
        name="evonorm-s0",
        title="EvoNorm-S0",
        family="sample",
        kind="divisive",
        axes="(C/G)HW",
        learnable="scale, shift, gate per channel",
        paper="Liu et al. 2020, https://arxiv.org/abs/2004.02967",
        layer=lambda shape, o: layers.EvoNormS0(
            shape[0], groups=o.groups_of(shape[0], 8), eps=o.eps_or(1e-5)
        ),
    ),
    Method(
        name="local-response",
        title="local response normalization",
        family="sample",
        kind="divisive",
        axes="neighbouring C",
        paper="Krizhevsky, Sutskever and Hinton 2012",
        defaults={"torch": "alpha is divided by the number of neighbours; in the paper it is not"},
        layer=lambda shape, o: layers.LocalResponseNorm(5),
    ),
)
