"""The made-up sets can be learned, and are the same everywhere."""

import numpy as np
import pytest

from normlib.datasets import INFO, load, synthetic

NAMES = [name for name, info in INFO.items() if info.kind == "synthetic"]


@pytest.mark.parametrize("name", NAMES)
def test_class_means_tell_the_classes_apart(name: str) -> None:
    train, test = load(name, "train"), load(name, "test")
    flat = [data.images.reshape(len(data.labels), -1) / 255 for data in (train, test)]
    means = np.stack([flat[0][train.labels == label].mean(axis=0) for label in range(10)])
    distances = ((flat[1][:, None] - means) ** 2).sum(axis=2)
    assert (distances.argmin(axis=1) == test.labels).mean() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_balanced_shuffled_and_without_repetition(name: str) -> None:
    for split, spread in (("train", 1), ("test", 1)):
        data = load(name, split)
        counts = np.bincount(data.labels, minlength=10)
        assert counts.max() - counts.min() <= spread
        assert not np.array_equal(np.sort(data.labels), data.labels)
        assert len(np.unique(data.images.reshape(len(data.labels), -1), axis=0)) == len(data.labels)


def test_names_and_splits_differ_but_repeat() -> None:
    make = lambda name, split: synthetic.make(name, split, (1, 8, 8), 20, 10)  # noqa: E731
    first = make("a", "train")
    np.testing.assert_array_equal(first[0], make("a", "train")[0])
    assert not np.array_equal(first[0], make("b", "train")[0])
    assert not np.array_equal(first[0], make("a", "test")[0])
