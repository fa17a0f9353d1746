"""What is measured of a run: one number, chosen before the runs."""

from dataclasses import dataclass
from typing import Literal

from normlib.errors import NormlibError

Quantity = Literal["test_accuracy", "train_accuracy_running", "generalization_gap"]

#: Fewest seeds that decide anything; the seeds used are those for which both runs are recorded.
FEWEST = 3

#: Accuracy a diverged run counts with: it is not dropped, since dropping it would flatter its norm.
CHANCE = 0.1


class OutcomeError(NormlibError, ValueError):
    """An outcome that no run could have."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One number per run: a quantity averaged over the epochs ``first`` to ``last``, both included.

    One epoch gives that epoch's value. The running training accuracy averaged over epochs 1 to 4
    is the area under the accuracy of every batch seen so far, divided by the number of batches:
    the measure of "faster". The generalization gap is the training accuracy, evaluated at the end
    of the epoch on a fixed part of the training set, minus the test accuracy.
    """

    quantity: Quantity
    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise OutcomeError(
                f"epochs {self.first} to {self.last} are no range; give 1 <= first <= last"
            )

    @property
    def label(self) -> str:
        """Say the outcome in words."""
        words = {
            "test_accuracy": "test accuracy",
            "train_accuracy_running": "training accuracy (running mean)",
            "generalization_gap": "training minus test accuracy",
        }[self.quantity]
        when = (
            f"epoch {self.last}" if self.first == self.last else f"epochs {self.first}-{self.last}"
        )
        return f"{words}, {when}"
