r"""E7, E8, E11 and E17: distributions of weights and gradients, and scales at the start.

The source looks at histograms of ResNet18 in epoch 1; it states no batch size, here 50. What stands
for what it sees, one number per run (`analysis.distributions` has the formulas):

- early and late are the first and the last 20 updates of epoch 1, input and final the weights of
  the first convolution and of the classifier. A distribution is that of all values of a layer's
  weight after each of the 20 updates, or of its gradient in them, pooled.
- ``..._apart``: `distance` of a run's distribution from that of the `batch` run of its seed;
  ``shape``: after the median is taken off both and each is divided by its spread.
- ``..._moved``: `distance` of a run's earlier distribution from its later one.
- ``..._widening``: `widening` of the spread from early to late, in doublings; below 0: focused.
- ``..._disparity``: `disparity` of root mean squares over the residual blocks, in doublings: of
  their outputs, and of the loss's gradient with respect to these, at the batch of the first update
  (start) and, with 20 updates made, at that of the next (early).

These are columns of the chapter's table, in the row of epoch 1, beside those of ``tables.runs``.
"""

from normlib.analysis.contrasts import STARTS, Cell, Contrast, combined, difference, single
from normlib.analysis.outcome import Outcome, Quantity
from normlib.claims.claim import Claim
from normlib.claims.forms import above, under
from normlib.claims.source_e.forms import EPOCH_5, EPOCH_15, SOURCE, versus

HERE = ("09_weights_and_gradients",)
PLAN = "resnet-histograms"

#: Percent of their spread up to which two distributions look alike: about one center, widths that
#: differ by 29%; normal ones then share 88% of their area, 92% if one is shifted instead.
ALIKE = 25.0
#: The same for "changes little", which the source also calls fairly modest: widths that differ by
#: 67%; normal ones share 76% of their area, 84% if one is shifted instead.
MODEST = 50.0


def measured(quantity: Quantity) -> Outcome:
    """Return what is measured of epoch 1."""
    return Outcome(quantity=quantity, first=1, last=1)


APART = (measured("final_late_weights_apart"), measured("final_late_gradients_apart"))
SHAPES = measured("final_late_gradients_shape_apart")
MOVED = measured("weights_moved")
MOVED_WITHIN = (measured("input_weights_moved"), measured("final_weights_moved"))
INPUT, FINAL = measured("input_gradients_widening"), measured("final_gradients_widening")
START = (measured("start_activation_disparity"), measured("start_gradient_disparity"))
EARLY = (measured("early_activation_disparity"), measured("early_gradient_disparity"))


def of(norm: str) -> Contrast:
    """Return a method's own value in ResNet18."""
    return single(Cell(model="resnet18", batch_size=50, norm=norm))


def versus_none(norm: str, initialization: str = "torchvision") -> Contrast:
    """Return a method, or none with another start, minus none in ResNet18."""
    return difference(
        Cell(model="resnet18", batch_size=50, norm=norm, initialization=initialization),
        Cell(model="resnet18", batch_size=50, norm="none"),
    )


def half_regained(model: str, norm: str = "none", start: str = "fixup") -> Contrast:
    r"""Return what a method under another start has above the middle of BN and itself without.

    $y_{\text{started}} - \frac12 (y_{\text{batch}} + y_{\text{norm}})$, above 0 where the start
    alone regains more than half of BN's advantage.
    """
    batch, plain = (Cell(model=model, batch_size=50, norm=one) for one in ("batch", norm))
    started = Cell(model=model, batch_size=50, norm=norm, initialization=start)
    middle = f"the middle of `batch` and `{norm}`, {plain.place}"
    words = f"`{norm}` ({STARTS[start]}) above {middle}"
    return combined(words, ((1.0, single(started)), (-0.5, single(batch)), (-0.5, single(plain))))


CLAIMS_DISTRIBUTIONS = (
    Claim(
        id="E7",
        source=SOURCE,
        claim=(
            "After the first epoch the last layer's weights and gradients look alike under BN and "
            "under AffineLayer."
        ),
        reading=(
            "ResNet18, last 20 updates of epoch 1, classifier: the Wasserstein distance between "
            "the values under `affine` and those under `batch` of the same seed, in percent of "
            f"their mean absolute deviation, is below {ALIKE:g}% for the weights and for the "
            "gradients, mean over seeds. Normal distributions that far apart share about nine "
            "tenths of their area. One distance significantly above it contradicts the claim. "
            "Beside it: the gradients' shape alone, and the other methods."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E7",
        tests=(
            *(under(of("affine"), outcome, high=ALIKE) for outcome in APART),
            under(of("affine"), SHAPES, high=ALIKE, role="secondary"),
            *(
                under(of(norm), outcome, high=ALIKE, role="secondary")
                for norm in ("batch-minus", "none")
                for outcome in APART
            ),
        ),
    ),
    Claim(
        id="E8",
        source=SOURCE,
        claim=(
            "The first layer's gradients go from spread out to focused under BN, and the other "
            "way under AffineLayer."
        ),
        reading=(
            "ResNet18, epoch 1, first convolution: the mean absolute deviation of the gradients in "
            "the last 20 updates against that in the first 20, in doublings: below 0 under "
            "`batch`, above 0 under `affine`, mean over seeds. One significant reversal "
            "contradicts the claim. Beside it: the other two methods, and the last layer."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E8",
        tests=(
            under(of("batch"), INPUT),
            above(of("affine"), INPUT),
            above(versus("resnet18", 50, "affine", "batch"), INPUT, role="secondary"),
            under(of("batch-minus"), INPUT, role="secondary"),
            above(of("none"), INPUT, role="secondary"),
            under(of("batch"), FINAL, role="secondary"),
            above(of("affine"), FINAL, role="secondary"),
        ),
    ),
    Claim(
        id="E11",
        source=SOURCE,
        claim="BN's benefit comes mainly from better initialization.",
        reading=(
            "Two things must hold in ResNet18 at batch 50. BN starts better: at the first update "
            "the root mean squares of the residual blocks' outputs, and of the loss's gradients "
            "there, differ by fewer doublings under `batch` than under `none` (as which `affine` "
            "starts, with scale 1 and shift 0), paired by seed. And a better start is enough: "
            "after 15 epochs `none` under Fixup, the start that the source names, has regained "
            "more than half of what `batch` has above `none`, so that it is above the middle of "
            "the two. One significant reversal contradicts the claim, as far as Fixup stands for "
            "a better start. Beside it: BN's advantage itself, without which there is nothing to "
            "regain; ResNet50; the scales after 20 updates; and, added when 20 other runs "
            "had been started but none of these, `affine` with the very start of BN, its scales "
            "and shifts set so that each layer normalizes the first batch."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E11",
        tests=(
            *(under(versus_none("batch"), outcome) for outcome in START),
            above(half_regained("resnet18"), EPOCH_15),
            above(versus_none("batch"), EPOCH_15, role="secondary"),
            above(versus_none("none", "fixup"), EPOCH_15, role="secondary"),
            above(half_regained("resnet18"), EPOCH_5, role="secondary"),
            above(half_regained("resnet50"), EPOCH_15, role="secondary"),
            above(half_regained("resnet50"), EPOCH_5, role="secondary"),
            *(under(versus_none("none", "fixup"), one, role="secondary") for one in START),
            above(half_regained("resnet18", "affine", "data"), EPOCH_15, role="secondary"),
            above(half_regained("resnet18", "affine", "data"), EPOCH_5, role="secondary"),
            *(under(versus_none("affine", "data"), one, role="secondary") for one in START),
            *(
                under(versus_none(norm), outcome, role="secondary")
                for norm in ("batch", "affine")
                for outcome in EARLY
            ),
        ),
    ),
    Claim(
        id="E17",
        source=SOURCE,
        claim=(
            "Weights change little from the first layer early in the first epoch to the last layer "
            "late in it, under BN and under AffineLayer."
        ),
        reading=(
            "ResNet18, epoch 1: the Wasserstein distance between the first convolution's weights "
            "in the first 20 updates and the classifier's in the last 20, in percent of their mean "
            f"absolute deviation, is below {MODEST:g}% under `batch` and under `affine`, mean over "
            "seeds. One distance significantly above it contradicts the claim. These are two "
            "layers, so that training is not all that differs: beside it, what each of them has "
            "moved from its own early to its late weights."
        ),
        decision="runs",
        chapters=HERE,
        plan=PLAN,
        family="E17",
        tests=(
            *(under(of(norm), MOVED, high=MODEST) for norm in ("batch", "affine")),
            *(
                under(of(norm), outcome, high=MODEST, role="secondary")
                for norm in ("batch", "affine")
                for outcome in MOVED_WITHIN
            ),
        ),
    ),
)
