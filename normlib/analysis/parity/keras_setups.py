"""How far hand-written definitions are from Keras's layers on a set-up, in float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.analysis.parity.definitions import PAIRS, Custom, Keras
from normlib.analysis.parity.setups import LOSSES, Setup

Array = NDArray[np.float32]


def setup_results(tf: Any, keras: Any, setup: Setup) -> list[dict[str, Any]]:
    """Return one entry per pair of definitions: the largest differences of y and of gradients.

    ``gradient`` maps a loss to ``difference`` and the largest absolute gradient of either side,
    ``keras`` and ``custom``.
    """
    done: dict[Keras | Custom, tuple[Array, dict[str, Array]]] = {}
    for side in (side for pair in PAIRS for side in pair):
        if side not in done:
            done[side] = _outcome(tf, keras, setup, side)
    return [
        {
            "family": ours.family,
            "keras": ours.title,
            "custom": theirs.title,
            "output": _largest(done[ours][0] - done[theirs][0]),
            "gradient": {
                loss: {
                    "difference": _largest(done[ours][1][loss] - done[theirs][1][loss]),
                    "keras": _largest(done[ours][1][loss]),
                    "custom": _largest(done[theirs][1][loss]),
                }
                for loss in LOSSES
            },
        }
        for ours, theirs in PAIRS
    ]


def _outcome(
    tf: Any, keras: Any, setup: Setup, side: Keras | Custom
) -> tuple[Array, dict[str, Array]]:
    """Return the output and, by loss, the input gradient."""
    x, gy = (tf.convert_to_tensor(array.astype(np.float32)) for array in (setup.x, setup.gy))
    function = _keras(keras, x, side) if isinstance(side, Keras) else _custom(tf, side)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = function(x)
        losses = {
            "mean": tf.reduce_mean(y),
            "sum": tf.reduce_sum(y),
            "mean-square": tf.reduce_mean(y**2),
            "sum-square": tf.reduce_sum(y**2),
            "weighted": tf.reduce_sum(gy * y),
        }
    return np.array(y), {name: np.array(tape.gradient(loss, x)) for name, loss in losses.items()}


def _keras(keras: Any, x: Any, side: Keras) -> Any:
    if side.family == "layer":
        axes = -1 if side.axes == "last" else list(range(1, len(x.shape)))
        return keras.layers.LayerNormalization(axis=axes)
    layer = keras.layers.BatchNormalization()
    for _ in range(side.updates):
        layer(x, training=True)
    return lambda x: layer(x, training=side.training)


def _custom(tf: Any, side: Custom) -> Any:
    def forward(x: Any) -> Any:
        every = list(range(len(x.shape)))
        axes = {"batch": every[:-1], "last": every[-1:], "all": every[1:]}[side.axes]
        mu = tf.reduce_mean(x, axes, keepdims=True)
        squares = tf.reduce_sum((x - mu) ** 2, axes, keepdims=True)
        count = int(np.prod([x.shape[axis] for axis in axes]))
        # One value has no unbiased variance; a framework would give NaN, which hides the rest.
        sigma2 = squares / max(count - side.unbiased, 1)
        if side.outside:
            return (x - mu) / (tf.sqrt(sigma2) + side.eps)
        return (x - mu) / tf.sqrt(sigma2 + side.eps)

    return forward


def _largest(array: Array) -> float:
    """Return the largest absolute value, to six digits: enough beside the sources' six."""
    return float(f"{np.max(np.abs(array)):.6g}")
