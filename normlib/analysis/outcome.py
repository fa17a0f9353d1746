"""What is measured of a run: one number, chosen before the runs."""

from dataclasses import dataclass
from typing import Literal

from normlib.errors import NormlibError

Quantity = Literal[
    "test_accuracy",
    "train_accuracy_running",
    "generalization_gap",
    "validation_accuracy",
    "final_late_weights_apart",
    "final_late_gradients_apart",
    "final_late_gradients_shape_apart",
    "weights_moved",
    "input_weights_moved",
    "final_weights_moved",
    "input_gradients_widening",
    "final_gradients_widening",
    "start_activation_disparity",
    "start_gradient_disparity",
    "early_activation_disparity",
    "early_gradient_disparity",
    "train_loss_running",
    "weights_autocorrelation",
    "noisy_units",
    "recognized",
    "recognized_smooth",
    "colour_alone",
    "colour_alone_smooth",
]

#: Every quantity in words, and the unit of its values and margins.
QUANTITIES: dict[Quantity, tuple[str, str]] = {
    "test_accuracy": ("test accuracy", "points"),
    "train_accuracy_running": ("training accuracy (running mean)", "points"),
    "generalization_gap": ("training minus test accuracy", "points"),
    "validation_accuracy": ("accuracy on held-out training images", "points"),
    "final_late_weights_apart": ("distance of final-late weights from BN's", "%"),
    "final_late_gradients_apart": ("distance of final-late gradients from BN's", "%"),
    "final_late_gradients_shape_apart": (
        "distance of final-late gradients from BN's, both at median 0 and spread 1",
        "%",
    ),
    "weights_moved": ("distance of input-early from final-late weights", "%"),
    "input_weights_moved": ("distance of input-early from input-late weights", "%"),
    "final_weights_moved": ("distance of final-early from final-late weights", "%"),
    "input_gradients_widening": ("widening of gradients, input-early to input-late", "doublings"),
    "final_gradients_widening": ("widening of gradients, final-early to final-late", "doublings"),
    "start_activation_disparity": ("disparity of activations at the start", "doublings"),
    "start_gradient_disparity": ("disparity of gradients at the start", "doublings"),
    "early_activation_disparity": ("disparity of activations after 20 updates", "doublings"),
    "early_gradient_disparity": ("disparity of gradients after 20 updates", "doublings"),
    "train_loss_running": ("training loss (running mean)", "nats"),
    "weights_autocorrelation": ("autocorrelation of first-layer weights", "%"),
    "noisy_units": ("hidden units no different from noise", "%"),
    "recognized": ("probability of a hallucination's class by other networks", "%"),
    "recognized_smooth": (
        "probability of a regularized hallucination's class by other networks",
        "%",
    ),
    "colour_alone": ("variance of hallucinations that is their mean colour", "%"),
    "colour_alone_smooth": ("variance of regularized hallucinations, their mean colour", "%"),
}

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

    The quantities on distributions belong to epoch 1: ``early`` are its first 20 updates, ``late``
    its last 20, ``input`` and ``final`` the first convolution's and the classifier's weights.
    ``claims.source_e.distributions`` defines them. Those on pictures belong to the last epoch;
    ``claims.source_c`` defines them.
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
        words, _ = QUANTITIES[self.quantity]
        when = (
            f"epoch {self.last}" if self.first == self.last else f"epochs {self.first}-{self.last}"
        )
        return f"{words}, {when}"

    @property
    def unit(self) -> str:
        """Return the unit of the outcome, and of a test's margins."""
        return QUANTITIES[self.quantity][1]
