"""One parity case computed by Keras's layer, first and second derivatives by TensorFlow.

Conversions: x, y, gy, u and their gradients are (N, C, H, W) outside and (N, H, W, C) inside; gamma
and beta of shape (C, H, W) are (H, W, C) inside; those of shape (C,) stay.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.analysis.parity.cases import MOMENTUM, Case

Array = NDArray[Any]


def case_results(tf: Any, keras: Any, case: Case, dtype: str) -> dict[str, Array]:
    """Return the QUANTITIES that ``case`` has, in ``dtype`` and PyTorch's layouts."""
    layer = _layer(keras, case, dtype)
    parameters = dict(zip(("gamma", "beta"), layer.trainable_variables, strict=False))
    x, gy, u = (tf.convert_to_tensor(_last(a).astype(dtype)) for a in (case.x, case.gy, case.u))
    options = {"training": case.training} if case.method == "batch" else {}
    with tf.GradientTape() as outer:
        outer.watch([x, gy])
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x, **options)
            loss = tf.reduce_sum(gy * y)
        gx, *first = inner.gradient(loss, [x, *(v.value for v in parameters.values())])
        weighted = tf.reduce_sum(u * gx)
    hx, hgy, hgamma = outer.gradient(
        weighted, [x, gy, parameters["gamma"].value], unconnected_gradients="zero"
    )
    found = {"y": _first(y), "gx": _first(gx), "hx": _first(hx), "hgy": _first(hgy)}
    found |= {f"g{name}": _first(g) for name, g in zip(parameters, first, strict=True)}
    found["hgamma"] = _first(hgamma)
    if case.method == "batch":
        found["running_mean"] = np.array(layer.moving_mean)
        found["running_var"] = np.array(layer.moving_variance)
    return found


def _layer(keras: Any, case: Case, dtype: str) -> Any:
    """Return the layer of `Case`, with its parameters and running statistics set."""
    layers = keras.layers
    options = {"epsilon": case.eps, "dtype": dtype}
    channels = case.x.shape[1]
    layer = {
        "batch": lambda: layers.BatchNormalization(momentum=1 - MOMENTUM, **options),
        "layer": lambda: layers.LayerNormalization(axis=[1, 2, 3], **options),
        "layer-channels": lambda: layers.LayerNormalization(**options),
        "group": lambda: layers.GroupNormalization(case.groups, **options),
        "instance": lambda: layers.GroupNormalization(channels, **options),
        "rms": lambda: layers.RMSNormalization(axis=[1, 2, 3], **options),
        "rms-channels": lambda: layers.RMSNormalization(**options),
    }[case.method]()
    layer.build(_last(case.x).shape)
    arrays = [case.gamma, case.beta, case.running_mean, case.running_var]
    layer.set_weights([_last(array) for array in arrays if array.size])
    return layer


def _last(array: Array) -> Array:
    """(N, C, H, W) to (N, H, W, C), and (C, H, W) to (H, W, C); (C,) as it is."""
    return np.ascontiguousarray(np.moveaxis(array, -3, -1)) if array.ndim >= 3 else array


def _first(tensor: Any) -> Array:
    """The way back from `_last`."""
    array = np.array(tensor)
    return np.ascontiguousarray(np.moveaxis(array, -1, -3)) if array.ndim >= 3 else array
