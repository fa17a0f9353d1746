"""Portions do not overlap, cover what they should, and refuse what does not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlib.engine.portions import REEVALUATED, batches, portions
from normlib.errors import NormlibError
from normlib.records import Experiment


def test_all_images_by_default_and_the_first_ten_thousand_again() -> None:
    parts = portions(Experiment(), 60_000)
    np.testing.assert_array_equal(parts.train, np.arange(60_000))
    np.testing.assert_array_equal(parts.reevaluated, np.arange(REEVALUATED))
    assert len(parts.validation) == 0


def test_held_out_images_are_the_last_and_never_trained_on() -> None:
    parts = portions(Experiment(validation_size=5_000, train_size=100), 60_000)
    assert parts.validation.tolist() == list(range(55_000, 60_000))
    assert parts.train.tolist() == list(range(100)) == parts.reevaluated.tolist()


@pytest.mark.parametrize(("train", "held"), [(60_001, 0), (None, 60_000), (59_000, 1_001)])
def test_too_few_images_are_refused_with_the_numbers(train: int | None, held: int) -> None:
    with pytest.raises(NormlibError, match="60000 training images"):
        portions(Experiment(train_size=train, validation_size=held), 60_000)


def test_dropping_the_only_batch_is_refused() -> None:
    short = Experiment(batch_size=600, last_batch="drop")
    with pytest.raises(NormlibError, match=r"batch_size=600 .* 512 training images"):
        portions(short, 512)
    assert len(portions(short.replace(last_batch="keep"), 512).train) == 512


@given(st.integers(1, 300), st.integers(1, 70))
def test_batches_keep_order_and_lose_at_most_a_short_last_one(count: int, size: int) -> None:
    indices = np.arange(count)
    kept, dropped = batches(indices, size), batches(indices, size, "drop")
    assert np.concatenate(kept).tolist() == indices.tolist()
    assert all(len(batch) == size for batch in dropped)
    assert len(dropped) == count // size
