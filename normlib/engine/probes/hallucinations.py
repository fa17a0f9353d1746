"""Probe ``hallucinations``: what a trained network takes for each class, and what others see."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from normlib.datasets import INFO, ImageSet, load
from normlib.engine.judges import Judge, judges
from normlib.engine.probes import pictures
from normlib.engine.probes.hallucinating import REGULARIZATIONS, hallucinate
from normlib.engine.probes.probe import Arrays, Batch, Moment, ProbeError
from normlib.records import Experiment

STARTS = 4
"""Images of each class under each regularization."""
MEASURES = ("sharpness", "high_frequencies", "colour_only")


class Hallucinations:
    """Images made from noise by raising a class, after the last update; and what they are like.

    Two judges (`engine.judges`) are trained beforehand, once on a machine.

    Arrays, R regularizations in the order of REGULARIZATIONS, K classes, S = STARTS:

    - ``image`` (R, K, S, C, H, W), ``confidence`` and ``reached`` (R, K, S): `Hallucinated`'s;
    - ``judged`` (judges, R, K, S): the probability that each judge gives to the class,
      ``accuracy`` (judges,) of the judges themselves, and ``judges`` (judges, 32) their
      fingerprints;
    - ``sharpness``, ``high_frequencies``, ``colour_only`` (R, K, S) and ``diversity`` (R, K): those
      of `pictures`;
    - ``nearest`` and ``distance`` (R, K, S): the class whose mean training image is nearest, and
      how far it is.

    All are empty in a run that does not reach its last epoch.

    Raises:
        ProbeError: the networks do not take images in [0, 1], or a judge diverged.
        HallucinationError: images of one batch change one another's logits.
    """

    def __init__(self, experiment: Experiment) -> None:
        if experiment.input_scaling != "unit":
            raise ProbeError(
                "probe 'hallucinations' makes images in [0, 1], and "
                f"input_scaling={experiment.input_scaling!r}; leave it out, or take 'unit'"
            )
        self._experiment = experiment
        self._judges: list[Judge] | None = None
        self._found: Arrays = {}

    def before(self, at: Moment, model: nn.Module, batch: Batch) -> None:
        """Have the judges trained before anything else, so that nothing waits for them later.

        A model that cannot hallucinate is refused now, and not after its training.
        """
        if (at.epoch, at.step) == (1, 0):
            info = INFO[self._experiment.dataset]
            hallucinate(model, [0], info.shape, seed=self._experiment.seed, starts=1, steps=1)
            self._judges = self._called(model)

    def after(self, at: Moment, model: nn.Module) -> None:
        """Hallucinate after the last update."""
        if (at.epoch, at.step) != (self._experiment.epochs, at.steps):
            return
        asked = self._judges or self._called(model)
        info = INFO[self._experiment.dataset]
        means = class_means(load(self._experiment.dataset, "train"))
        rows = [
            _looked_at(model, kind, len(info.classes), info.shape, self._experiment.seed)
            for kind in REGULARIZATIONS
        ]
        self._found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        image = self._found["image"]
        self._found["judged"] = np.stack([judged(one.network, image) for one in asked])
        self._found["accuracy"] = np.array([one.accuracy for one in asked], np.float32)
        self._found["judges"] = np.array([list(one.fingerprint) for one in asked], np.uint8)
        nearest, distance = pictures.nearest_mean(image, means)
        self._found["nearest"] = nearest.astype(np.uint8)
        self._found["distance"] = distance.astype(np.float32)

    def state(self) -> Arrays:
        """Return the arrays, if it has come to them."""
        return self._found

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from the arrays of ``state``."""
        self._found = dict(arrays)

    def _called(self, model: nn.Module) -> list[Judge]:
        found = judges(self._experiment, next(model.parameters()).device)
        if not all(np.isfinite(one.accuracy) for one in found):
            raise ProbeError(
                "a judge of probe 'hallucinations' diverged, so that it recognizes nothing; leave "
                "the probe out, or change the settings that judges share with the run"
            )
        return found


def class_means(data: ImageSet) -> NDArray[np.float64]:
    """Return the mean image of each class, in [0, 1].

    Shape:
        (classes, C, H, W).
    """
    return np.stack(
        [data.images[data.labels == one].mean(axis=0) / 255 for one in range(len(data.classes))]
    )


@torch.no_grad()
def judged(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability that ``network`` gives to each image's own class.

    Shape:
        (R, K, S, C, H, W), the K-th of class K, to (R, K, S).
    """
    where = next(network.parameters()).device
    x = torch.from_numpy(images.reshape(-1, *images.shape[3:])).to(where).float() / 255
    probability = network(x).softmax(1).cpu().numpy()
    own = np.broadcast_to(np.arange(images.shape[1])[:, None], images.shape[:3]).ravel()
    return np.asarray(probability[np.arange(len(own)), own].reshape(images.shape[:3]))


def _looked_at(
    model: nn.Module, kind: str, classes: int, shape: tuple[int, int, int], seed: int
) -> Arrays:
    made = hallucinate(model, range(classes), shape, seed=seed, starts=STARTS, regularization=kind)
    measured = {name: getattr(pictures, name)(made.images) for name in MEASURES}
    return {
        "image": made.images,
        "confidence": made.confidence,
        "reached": made.reached.astype(np.int16),
        "diversity": pictures.diversity(made.images).astype(np.float32),
        **{name: values.astype(np.float32) for name, values in measured.items()},
    }
