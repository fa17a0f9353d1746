"""The network in Keras, its compiled steps, and its state as arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from normlib.datasets import INFO, ImageSet
from normlib.engine.initial import initial_arrays
from normlib.engine.keras import layouts
from normlib.engine.scaling import scaling
from normlib.records import Experiment

Array = NDArray[Any]


def build(keras: Any, experiment: Experiment) -> Any:
    """Return convolution, norm, ReLU, pooling, dense, ReLU, dense, with the initial arrays set.

    Keras's defaults: BatchNormalization with epsilon 1e-3 and momentum 0.99 (the weight of the old
    value), LayerNormalization over the last axis with epsilon 1e-3.
    """
    channels, height, width = INFO[experiment.dataset].shape
    pooled = (height // 2, width // 2)
    layers = keras.layers
    eps = {} if experiment.norm_eps is None else {"epsilon": experiment.norm_eps}
    norms = {"batch": layers.BatchNormalization, "layer": layers.LayerNormalization}
    chosen = norms.get(experiment.norm.removeprefix("tensorflow:"))
    norm = [chosen(**eps, name="norm")] if chosen else []  # "none"; `check` refused all others
    last = {"data_format": "channels_last"}  # whatever a person's keras.json says
    classes = len(INFO[experiment.dataset].classes)
    model = keras.Sequential(
        [
            keras.Input((height, width, channels)),
            layers.Conv2D(experiment.width, 5, padding="same", name="conv", **last),
            *norm,
            layers.ReLU(),
            layers.MaxPooling2D(2, **last),
            layers.Flatten(**last),
            layers.Dense(experiment.hidden, activation="relu", name="fc"),
            layers.Dense(classes, name="out"),
        ]
    )
    arrays = layouts.to_keras(initial_arrays(experiment), pooled)
    for name in ("conv", "fc", "out"):
        model.get_layer(name).set_weights([arrays[f"{name}.weight"], arrays[f"{name}.bias"]])
    return model


class Trainer:
    """A network with its optimizer, and the compiled steps over images held as uint8."""

    def __init__(self, tf: Any, keras: Any, experiment: Experiment) -> None:
        keras.utils.set_random_seed(experiment.seed % 2**32)  # nothing random is left; a safeguard
        self.model = build(keras, experiment)
        self.optimizer = keras.optimizers.SGD(
            learning_rate=experiment.learning_rate, momentum=experiment.momentum
        )
        self.optimizer.build(self.model.trainable_variables)
        self._tf = tf
        mean, std = (np.array(of_channels) for of_channels in scaling(experiment))
        self._scaling = mean.astype(np.float32), (1 / std).astype(np.float32)

    def steps(self, data: ImageSet) -> tuple[Any, Any]:
        """Return the functions (train, evaluate) over ``data``; each takes indices of images.

        ``train`` makes one step and returns the mean loss and the number of correct predictions
        of the batch before the update; ``evaluate`` returns the sum of losses and that number.
        """
        tf, model, optimizer = self._tf, self.model, self.optimizer
        mean, factor = self._scaling
        with tf.device("CPU"):
            pixels = tf.constant(layouts.images(data.images))
            labels = tf.constant(data.labels.astype(np.int32))

        def forward(indices: Any, training: bool) -> tuple[Any, Any]:
            x = (tf.cast(tf.gather(pixels, indices), tf.float32) - mean) * factor
            y = tf.gather(labels, indices)
            logits = model(x, training=training)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
            hits = tf.math.argmax(logits, axis=1, output_type=tf.int32) == y
            return losses, tf.math.count_nonzero(hits)

        def train(indices: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                losses, correct = forward(indices, training=True)
                loss = tf.reduce_mean(losses)
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
            return loss, correct

        def evaluate(indices: Any) -> tuple[Any, Any]:
            losses, correct = forward(indices, training=False)
            return tf.reduce_sum(losses), correct

        # A free batch size, so that the last short batch is not compiled anew.
        signature = [tf.TensorSpec([None], tf.int64)]
        return (
            tf.function(train, input_signature=signature),
            tf.function(evaluate, input_signature=signature),
        )

    def state(self) -> dict[str, Array]:
        """Return everything the next step depends on: weights, moving statistics, velocities."""
        return {name: np.array(variable) for name, variable in self._variables()}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Set the state that ``state`` returned; raises KeyError or ValueError if it is another."""
        for name, variable in self._variables():
            variable.assign(arrays[name])

    def _variables(self) -> list[tuple[str, Any]]:
        numbered = [("model", self.model.variables), ("optimizer", self.optimizer.variables)]
        return [(f"{kind}/{i:02d}", v) for kind, all_ in numbered for i, v in enumerate(all_)]
