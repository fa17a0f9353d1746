"""Methods with statistics over the batch."""

from normlib import layers
from normlib.methods.method import Method, Transformation

IOFFE = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167"
STAMP = "Peerthum and Stamp 2023"
CHANNEL = "scale, shift per channel"

#: Each channel by itself, over all samples.
PER_CHANNEL: frozenset[Transformation] = frozenset(
    {"weight scaled", "filters scaled", "inputs scaled", "inputs shifted", "batch permuted"}
)
_RUNNING = {
    "torch": "eps 1e-5; momentum 0.1 is the weight of the new value; running variance unbiased",
    "Keras": "eps 1e-3; momentum 0.99 is the weight of the old value; running variance biased",
    "Flax": "eps 1e-5; momentum 0.99 is the weight of the old value; running variance biased",
}

BATCH = (
    Method(
        name="batch",
        title="BatchNorm",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL,
        paper=IOFFE,
        defaults=_RUNNING,
        layer=lambda shape, o: layers.BatchNorm2d(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="batch-batchstats",
        title="BatchNorm without running averages",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        invariant_to=PER_CHANNEL,
        paper=IOFFE,
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
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL,
        paper=STAMP,
        defaults={"torch": "BatchNorm2d(affine=False)"},
        layer=lambda shape, o: layers.BatchNormMinus(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="mean-only",
        title="mean-only BatchNorm",
        family="batch",
        kind="hyperplane",
        axes="NHW",
        centered=True,
        learnable="shift per channel",
        batch_statistics=True,
        running=True,
        invariant_to=frozenset({"inputs shifted", "batch permuted"}),
        paper="Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868",
        layer=lambda shape, o: layers.MeanOnlyBatchNorm(shape[0]),
    ),
    Method(
        name="l1",
        title="L1 BatchNorm",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL,
        eps_power=1,
        paper="Hoffer et al. 2018, https://arxiv.org/abs/1803.01814",
        layer=lambda shape, o: layers.L1BatchNorm(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="ghost",
        title="Ghost BatchNorm",
        family="batch",
        kind="sphere",
        axes="(N/G)HW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL - {"batch permuted"},
        paper="Hoffer, Hubara and Soudry 2017, https://arxiv.org/abs/1705.08741",
        layer=lambda shape, o: layers.GhostBatchNorm(shape[0], eps=o.eps_or(1e-5)),
    ),
    Method(
        name="renorm",
        title="Batch Renormalization",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=frozenset({"batch permuted"}),
        paper="Ioffe 2017, https://arxiv.org/abs/1702.03275",
        # The paper's ramp makes it BatchNorm for 5,000 steps, longer than many a run here.
        layer=lambda shape, o: layers.BatchRenorm(
            shape[0], o.eps_or(1e-5), r_ramp=None, d_ramp=None
        ),
    ),
    Method(
        name="noisy",
        title="noisy BatchNorm",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        batch_statistics=True,
        running=True,
        invariant_to=PER_CHANNEL - {"batch permuted"},
        paper="Santurkar, Tsipras, Ilyas and Madry 2018, https://arxiv.org/abs/1805.11604",
        layer=lambda shape, o: layers.NoisyBatchNorm(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="population",
        title="BatchNorm with population statistics",
        family="batch",
        kind="sphere",
        axes="NHW",
        centered=True,
        learnable=CHANNEL,
        running=True,
        paper="Luo, Wang, Shao and Peng 2019, https://arxiv.org/abs/1809.00846",
        layer=lambda shape, o: layers.PopulationBatchNorm(shape[0], o.eps_or(1e-5)),
    ),
    Method(
        name="power",
        title="PowerNorm",
        family="batch",
        kind="sphere",
        axes="NHW",
        learnable=CHANNEL,
        running=True,
        paper="Shen et al. 2020, https://arxiv.org/abs/2003.07845",
        layer=lambda shape, o: layers.PowerNorm(shape[0], o.eps_or(1e-5)),
    ),
)
