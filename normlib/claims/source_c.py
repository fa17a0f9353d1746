"""Source C ("BatchNorm in Practice"): BatchNorm under SGD and Adam, and what networks have learned.

MNIST with a network of two layers, CIFAR-10 with a larger one, each with and without BatchNorm
(`batch`, `none`), under SGD and Adam; the source states no number, no learning rate and no size.
Here they are the plans' (`sweep.optimizers`). All of it was written down before a run of these
plans was recorded; only trials to time them had been run (three of two epochs on MNIST, four on
3,000 images of CIFAR-10). C3, C4, C7, C8 and C10 are about pictures; what stands for what the
source sees in them, one number per run:

- ``weights_autocorrelation``: mean over hidden units of Moran's I of their incoming weights, over
  the pixels that differ from their median in more than 1% of the training images
  (`engine.probes.first_layer.varied`), times 100. What looks like strokes has neighbours alike;
  noise has 0.
- ``noisy_units``: share of hidden units whose autocorrelation is no different from that of their
  own pixels shuffled, at a false discovery rate of 5%.
- ``recognized``: probability that two networks trained apart, one with BatchNorm and one without,
  give on average to the class of a hallucination, mean over classes and starts. A picture in which
  only its own network sees the class shows no shape of it.
- ``colour_alone``: share of a hallucination's variance about mid-grey that its mean colour
  explains.

The latter two are of images without regularization, as the source describes them; ``..._smooth``
are the same of images made with jitter and a penalty on total variation. All stand in the row of
the last epoch.
"""

from normlib.analysis.contrasts import Cell, Contrast, combined, difference, single
from normlib.analysis.outcome import Outcome, Quantity
from normlib.claims.claim import Claim, Test
from normlib.claims.forms import above, under
from normlib.sweep import optimizers

SOURCE = "C"
MNIST, CIFAR = "mnist-optimizers", "cifar-optimizers"
PAIR, OTHERS = optimizers.PAIR, optimizers.OTHERS
_ON_EACH = tuple(
    plan(seeds=1).experiments for plan in (optimizers.mnist_optimizers, optimizers.cifar_optimizers)
)
MNIST_EPOCHS, CIFAR_EPOCHS = (runs[0].epochs for runs in _ON_EACH)
RATES = {run.optimizer: run.learning_rate for runs in _ON_EACH for run in runs}
OPTIMIZERS = tuple(RATES)

#: Points from which learning is much faster, mean of the epochs; the source: "considerable".
MUCH = 10.0
#: Percent below which a network is close to useless: twice what guessing among ten classes gives.
USELESS = 20.0
#: Percent of units: one of 64 is 1.6%, so that more than half a unit on average is "some".
SOME = 0.8
#: "Most" of the units.
MOST = 50.0


def cell(model: str, norm: str, optimizer: str) -> Cell:
    """Return a condition of the main plans."""
    return Cell(
        model=model,
        batch_size=100,
        norm=norm,
        optimizer=optimizer,
        learning_rate=RATES[optimizer],
        initialization="torch",
    )


def gain(model: str, optimizer: str, first: str = "batch", second: str = "none") -> Contrast:
    """Return BatchNorm minus none, or another pair, under one optimizer."""
    return difference(cell(model, first, optimizer), cell(model, second, optimizer))


def shrinking(model: str, norm: str = "batch") -> Contrast:
    """Return what a norm gains under SGD minus what it gains under Adam."""
    words = f"(`{norm}` \N{MINUS SIGN} `none`) under SGD minus under Adam, {_network(model)}"
    parts = ((1.0, gain(model, "sgd", norm)), (-1.0, gain(model, "adam", norm)))
    return combined(words, parts)


def _network(model: str) -> str:
    return cell(model, "none", "adam").network


def _at(quantity: Quantity, first: int, last: int | None = None) -> Outcome:
    return Outcome(quantity=quantity, first=first, last=first if last is None else last)


LOSS_1 = _at("train_loss_running", 1)
LOSSES = _at("train_loss_running", 1, MNIST_EPOCHS)
MNIST_LAST = _at("test_accuracy", MNIST_EPOCHS)
MNIST_ALL = _at("test_accuracy", 1, MNIST_EPOCHS)
CIFAR_LAST = _at("test_accuracy", CIFAR_EPOCHS)
CIFAR_ALL = _at("test_accuracy", 1, CIFAR_EPOCHS)
EPOCH_1 = _at("test_accuracy", 1)
PATTERNS = _at("weights_autocorrelation", MNIST_EPOCHS)
NOISY = _at("noisy_units", MNIST_EPOCHS)
RECOGNIZED = _at("recognized", CIFAR_EPOCHS)
RECOGNIZED_SMOOTH = _at("recognized_smooth", CIFAR_EPOCHS)
COLOUR = _at("colour_alone", CIFAR_EPOCHS)
COLOUR_SMOOTH = _at("colour_alone_smooth", CIFAR_EPOCHS)


def _runs(
    number: int, claim: str, reading: str, plan: str, chapters: tuple[str, ...], *tests: Test
) -> Claim:
    """Return a claim that runs decide; each is a family of its own."""
    name = f"C{number}"
    return Claim(
        id=name,
        source=SOURCE,
        claim=claim,
        reading=reading,
        decision="runs",
        chapters=chapters,
        plan=plan,
        family=name,
        tests=tests,
    )


def _most_distinct(other: tuple[str, str]) -> Contrast:
    return difference(cell("vgg", "batch", "adam"), cell("vgg", *other))


_REST = (("batch", "sgd"), ("none", "adam"), ("none", "sgd"))
_ON_MNIST = ("06_mnist_optimizers",)
_ON_CIFAR = ("07_cifar_optimizers",)
_IMAGES = ("10_hallucination",)

CLAIMS_C = (
    _runs(
        1,
        "On MNIST under SGD the network with BatchNorm starts at a lower loss, and leads.",
        "Two layers, SGD at 0.01, paired by seed, `batch` minus `none`: the running training loss "
        "of epoch 1 is below 0, and test accuracy, mean of all 10 epochs, above 0. One significant "
        "reversal contradicts the claim. Beside it: the last epoch, and the other norms.",
        MNIST,
        _ON_MNIST,
        under(gain("mlp", "sgd"), LOSS_1),
        above(gain("mlp", "sgd"), MNIST_ALL),
        above(gain("mlp", "sgd"), MNIST_LAST, role="secondary"),
        *(under(gain("mlp", "sgd", norm), LOSS_1, role="secondary") for norm in OTHERS),
        *(above(gain("mlp", "sgd", norm), MNIST_ALL, role="secondary") for norm in OTHERS),
    ),
    _runs(
        2,
        "On MNIST under Adam the gap between the two is smaller.",
        "What `batch` has above `none` under SGD minus the same under Adam, paired by seed: above "
        "0 in test accuracy, and below 0 in the running training loss, each the mean of all 10 "
        "epochs. One significant reversal contradicts the claim. Beside it: the last epoch, the "
        "gap under Adam itself, and the other norms.",
        MNIST,
        _ON_MNIST,
        above(shrinking("mlp"), MNIST_ALL),
        under(shrinking("mlp"), LOSSES),
        above(shrinking("mlp"), MNIST_LAST, role="secondary"),
        above(gain("mlp", "adam"), MNIST_ALL, role="secondary"),
        above(gain("mlp", "adam"), MNIST_LAST, role="secondary"),
        *(above(shrinking("mlp", norm), MNIST_ALL, role="secondary") for norm in OTHERS),
    ),
    _runs(
        3,
        "Networks without BatchNorm have more interpretable first-layer weights.",
        "Two layers on MNIST after 10 epochs: the mean autocorrelation (Moran's I) of the hidden "
        "units' incoming weights, over pixels that vary, is higher under `none` than under "
        "`batch`, under SGD and under Adam. One significant reversal contradicts the claim. That "
        "autocorrelation is what makes weights readable is our reading; noise has none, strokes "
        "have much. Beside it: the other norms.",
        MNIST,
        _ON_MNIST,
        *(above(gain("mlp", one, "none", "batch"), PATTERNS) for one in OPTIMIZERS),
        *(
            above(gain("mlp", one, "none", norm), PATTERNS, role="secondary")
            for one in OPTIMIZERS
            for norm in OTHERS
        ),
    ),
    _runs(
        4,
        "Under Adam most neurons of BatchNorm networks learn structured first-layer weights, while "
        "without BatchNorm some neurons are pure noise.",
        "Two layers on MNIST after 10 epochs of Adam, share of hidden units whose incoming weights "
        "are no different from their own pixels shuffled (5% false discoveries): more under `none` "
        f"than under `batch`; above {SOME}% (half a unit) under `none`; below {MOST:g}% under "
        "`batch`. One significant reversal contradicts the claim. Beside it: SGD, the other norms.",
        MNIST,
        _ON_MNIST,
        above(gain("mlp", "adam", "none", "batch"), NOISY),
        above(single(cell("mlp", "none", "adam")), NOISY, low=SOME),
        under(single(cell("mlp", "batch", "adam")), NOISY, high=MOST),
        above(gain("mlp", "sgd", "none", "batch"), NOISY, role="secondary"),
        *(above(gain("mlp", "adam", "none", norm), NOISY, role="secondary") for norm in OTHERS),
    ),
    _runs(
        5,
        "On CIFAR-10 under SGD the network with BatchNorm learns much faster; without, it is close "
        "to useless.",
        f"Plain CNN, SGD at 0.01, paired by seed: `batch` minus `none` is above {MUCH:g} points of "
        "test accuracy, mean of all 15 epochs; and `none` ends below "
        f"{USELESS:g}%, twice what guessing gives. One significant reversal contradicts the claim. "
        "The learning rate decides much here: the chapter shows a range of them.",
        CIFAR,
        _ON_CIFAR,
        above(gain("vgg", "sgd"), CIFAR_ALL, low=MUCH),
        under(single(cell("vgg", "none", "sgd")), CIFAR_LAST, high=USELESS),
        above(gain("vgg", "sgd"), CIFAR_LAST, role="secondary"),
    ),
    _runs(
        6,
        "On CIFAR-10 under Adam the gap is smaller, but BatchNorm always has the better accuracy.",
        "Plain CNN, paired by seed, test accuracy: what `batch` has above `none` under SGD minus "
        "the same under Adam is above 0 after epoch 15; under Adam `batch` minus `none` is above 0 "
        "after epoch 15 and in the mean of all epochs. One significant reversal contradicts the "
        "claim.",
        CIFAR,
        _ON_CIFAR,
        above(shrinking("vgg"), CIFAR_LAST),
        above(gain("vgg", "adam"), CIFAR_LAST),
        above(gain("vgg", "adam"), CIFAR_ALL),
        above(gain("vgg", "adam"), EPOCH_1, role="secondary"),
    ),
    _runs(
        7,
        "Hallucinations of networks with BatchNorm have more defined shapes under either "
        "optimizer; those without show little beyond colour.",
        "Plain CNN after 15 epochs, images made from noise by raising a class: independently "
        "trained networks give their class a higher probability if they come from `batch` than if "
        "they come from `none`, and a larger share of the images' variance is their mean colour "
        "under `none` than under `batch`, each under SGD and under Adam. One significant reversal "
        "contradicts the claim. Beside it: the same for images made with regularization.",
        CIFAR,
        _IMAGES,
        *(above(gain("vgg", one), RECOGNIZED) for one in OPTIMIZERS),
        *(above(gain("vgg", one, "none", "batch"), COLOUR) for one in OPTIMIZERS),
        *(above(gain("vgg", one), RECOGNIZED_SMOOTH, role="secondary") for one in OPTIMIZERS),
        *(
            above(gain("vgg", one, "none", "batch"), COLOUR_SMOOTH, role="secondary")
            for one in OPTIMIZERS
        ),
    ),
    _runs(
        8,
        "BatchNorm with Adam gives the most distinct hallucinations.",
        "The same images: independently trained networks give their class a higher probability if "
        "they come from `batch` under Adam than from each of the other three. One significant "
        "reversal contradicts the claim. Beside it: the same for images made with regularization.",
        CIFAR,
        _IMAGES,
        *(above(_most_distinct(other), RECOGNIZED) for other in _REST),
        *(above(_most_distinct(other), RECOGNIZED_SMOOTH, role="secondary") for other in _REST),
    ),
    _runs(
        9,
        "BatchNorm is a quick win when compute or time is short.",
        "Test accuracy after epoch 1, paired by seed, `batch` minus `none` above 0 in all four "
        "cases: MNIST and CIFAR-10 under SGD and Adam. One significant reversal contradicts the "
        "claim. An epoch with BatchNorm takes longer; the chapters say by how much.",
        CIFAR,
        (*_ON_MNIST, *_ON_CIFAR),
        *(above(gain(model, one), EPOCH_1) for model in ("mlp", "vgg") for one in OPTIMIZERS),
    ),
    _runs(
        10,
        "BatchNorm costs interpretability of the first layer.",
        "Two layers on MNIST after 10 epochs, under SGD and under Adam: `none` has the higher "
        "autocorrelation of first-layer weights (C3), and `batch` has the larger share of units no "
        "different from noise, so that C3 and C4 do not pull apart. One significant reversal "
        "contradicts the claim.",
        MNIST,
        _ON_MNIST,
        *(above(gain("mlp", one, "none", "batch"), PATTERNS) for one in OPTIMIZERS),
        *(above(gain("mlp", one), NOISY) for one in OPTIMIZERS),
    ),
)
