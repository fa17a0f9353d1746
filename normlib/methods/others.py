"""Methods that whiten, that mix statistics, that know of domains, and that take none."""

from normlib import layers
from normlib.methods.batch import CHANNEL, PER_CHANNEL, STAMP
from normlib.methods.method import Method, Transformation

#: The channels together, over all samples.
_WHITENING: frozenset[Transformation] = frozenset(
    {"weight scaled", "inputs scaled", "inputs shifted", "batch permuted"}
)

NONE = (
    Method(
        name="none",
        title="no normalization",
        family="none",
        kind="none",
        projected="nothing",
        sets=0,
    ),
)

WHITENING = (
    Method(
        name="decorrelated",
        title="Decorrelated BatchNorm",
        family="whitening",
        kind="whitening",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=_WHITENING,
        paper="Huang, Yang, Lang and Deng 2018, https://arxiv.org/abs/1804.08450",
        layer=lambda shape, o: layers.DecorrelatedBatchNorm(
            shape[0], groups=o.groups_of(shape[0], 1), eps=o.eps_or(1e-5)
        ),
    ),
    Method(
        name="iterative",
        title="IterNorm",
        family="whitening",
        kind="whitening",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=_WHITENING,
        paper="Huang, Zhou, Zhu, Liu and Shao 2019, https://arxiv.org/abs/1904.03441",
        layer=lambda shape, o: layers.IterNorm(
            shape[0], groups=o.groups_of(shape[0], 1), eps=o.eps_or(1e-5)
        ),
    ),
)

MIXTURE = (
    Method(
        name="switchable",
        title="Switchable Normalization",
        family="mixture",
        kind="mixture",
        axes="HW, CHW and NHW",
        sets=3,
        centered=True,
        learnable="scale, shift per channel; weights of three means and three variances",
        batch_statistics=True,
        running=True,
        invariant_to=frozenset({"weight scaled", "inputs scaled", "batch permuted"}),
        paper="Luo et al. 2019, https://arxiv.org/abs/1806.10779",
        layer=lambda shape, o: layers.SwitchableNorm(shape[0], eps=o.eps_or(1e-5)),
    ),
    Method(
        name="evonorm-b0",
        title="EvoNorm-B0",
        family="mixture",
        kind="divisive",
        axes="NHW and HW",
        sets=2,
        learnable="scale, shift, gate per channel",
        batch_statistics=True,
        running=True,
        invariant_to=frozenset(
            {"weight scaled", "filters scaled", "inputs scaled", "batch permuted"}
        ),
        paper="Liu et al. 2020, https://arxiv.org/abs/2004.02967",
        layer=lambda shape, o: layers.EvoNormB0(shape[0], eps=o.eps_or(1e-5)),
    ),
)

DOMAIN = (
    Method(
        name="adabn",
        title="AdaBN",
        family="domain",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL,
        paper="Li, Wang, Shi, Liu and Hou 2016, https://arxiv.org/abs/1603.04779",
        layer=lambda shape, o: layers.AdaBatchNorm(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="autodial",
        title="AutoDIAL",
        family="domain",
        kind="sphere",
        axes="NHW of each domain",
        sets=2,
        centered=True,
        learnable="scale, shift per channel; the domains' share alpha",
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL,
        paper="Carlucci, Porzi, Caputo, Ricci and Rota Bulo 2017, https://arxiv.org/abs/1704.08082",
        layer=lambda shape, o: layers.AutoDIAL(shape[0], eps=o.eps_or(1e-5)),
    ),
)

POINTWISE = (
    Method(
        name="affine",
        title="scale and shift alone",
        family="pointwise",
        kind="pointwise",
        sets=0,
        learnable=CHANNEL,
        paper=STAMP,
        layer=lambda shape, o: layers.AffineLayer(shape[0]),
    ),
    Method(
        name="dynamic-tanh",
        title="Dynamic Tanh",
        family="pointwise",
        kind="pointwise",
        sets=0,
        learnable="scale, shift per channel; one slope",
        paper="Zhu, Chen, He, LeCun and Liu 2025, https://arxiv.org/abs/2503.10622",
        layer=lambda shape, o: layers.DynamicTanh(shape[0]),
    ),
)
