"""The CNN with BatchNorm in Keras on TensorFlow, trained with ``fit``."""

import argparse
import json
import os
import sys
import time

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # after the line above, since it reads the backend as it is imported


def main() -> None:
    """Train, and print the times at which ``fit`` began and ended after the warm-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--momentum", type=float, required=True)
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    arguments = parser.parse_args()

    with np.load(arguments.data) as arrays:
        x = arrays["images"][..., np.newaxis].astype("float32") / 255
        y = arrays["labels"]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 5, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(arguments.learning_rate, momentum=arguments.momentum),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    # The first fit traces and compiles; the second is timed from within, without its set-up.
    warm, timed = (n * arguments.batch_size for n in (arguments.warmup, arguments.steps))
    model.fit(x[:warm], y[:warm], batch_size=arguments.batch_size, verbose=0)
    print("warm", flush=True)
    sys.stdin.readline()
    stamps: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: stamps.append(time.monotonic()),
        on_epoch_end=lambda epoch, logs: stamps.append(time.monotonic()),
    )
    history = model.fit(
        x[-timed:],
        y[-timed:],
        batch_size=arguments.batch_size,
        verbose=0,
        callbacks=[clock],
    )
    # fit reports no single steps, so they are spread evenly over its time.
    spread = np.linspace(stamps[0], stamps[1], arguments.steps + 1).tolist()
    print(json.dumps({"stamps": spread, "loss": history.history["loss"][-1]}))


if __name__ == "__main__":
    main()
