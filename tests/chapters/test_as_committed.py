"""What the notebook of every chapter on experiments says and shows, whatever is recorded."""

from dataclasses import dataclass

import pytest

from normlib.sweep import PLANS
from tests.chapters.chapter import Chapter


@dataclass(frozen=True)
class Expected:
    """What a chapter's notebook has to be like.

    ``result`` is a pattern of what its prose must not type, ``drawing`` one of lines that draw a
    figure, ``runs`` what each caption says of its runs, ``longest`` the most lines of a cell.
    """

    result: str
    drawing: str
    figures: int
    runs: str
    longest: int
    plans: frozenset[str]


RESULT = r"\b[3-9]\d\.\d|[+−]0\.\d|p\s*[<=]\s*0"
CIFAR = Expected(
    RESULT,
    r"^(figures\.\w+|image_grid)\(",
    4,
    "Runs: plan cifar-",
    17,
    frozenset({"cifar-optimizers"}),
)
CHAPTERS = {
    "05_fashion_mnist": Expected(
        r"\b[89]\d\.\d|[+−]0\.\d|p\s*[<=]\s*0",
        r"^figures\.\w+\(",
        10,
        "Runs: plan fashion-mnist",
        15,
        frozenset({"fashion-mnist"}),
    ),
    "06_mnist_optimizers": Expected(
        RESULT,
        r"^(figures\.\w+|weight_grid)\(",
        6,
        "Runs: plan mnist-",
        17,
        frozenset({"mnist-optimizers", "mnist-rates", "cifar-optimizers"}),
    ),
    "07_cifar_optimizers": CIFAR,
    "08_resnet_ablation": Expected(
        r"\b[4-9]\d\.\d|[+−]\d|p\s*[<=]\s*0",
        r"^resnets\w*\.",
        10,
        "Runs: plan resnet-",
        20,
        frozenset({"resnet-ablation", "resnet-cpu", "resnet-grid"}),
    ),
    "09_weights_and_gradients": Expected(
        RESULT,
        r"^(figures|drawn)\.\w+\(",
        10,
        "Runs: plans resnet-histograms",
        15,
        frozenset(name for name in PLANS if "histograms" in PLANS[name].probes),
    ),
    "10_hallucination": CIFAR,
}
EACH = pytest.mark.parametrize("name", CHAPTERS)


@EACH
def test_the_prose_types_no_result(name: str) -> None:
    Chapter(name).assert_types_no(CHAPTERS[name].result)


@EACH
def test_every_figure_has_caption_alt_text_and_runs(name: str) -> None:
    one = CHAPTERS[name]
    Chapter(name).assert_figures(one.drawing, one.figures, one.runs)


@EACH
def test_cells_are_short_and_enough_are_checked(name: str) -> None:
    Chapter(name).assert_thin_and_checked(CHAPTERS[name].longest)


@EACH
def test_it_names_the_plans_that_it_reads(name: str) -> None:
    named = set(Chapter(name).notebook["metadata"]["normlib"]["plans"])
    assert CHAPTERS[name].plans <= named <= set(PLANS)
