"""Grids of pictures show every pixel that they are given, where it belongs, and say what is not."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from normlib.errors import NormlibError
from normlib.figures import style
from normlib.figures.image_grids import image_grid
from normlib.figures.pictures import PictureGridError
from normlib.figures.weight_grids import COLOURS, GAP, weight_grid

TITLES = ["none, SGD", "BN, SGD", "none, Adam", "BN, Adam"]
CLASSES = ["T-shirt/top", "automobile", "Ankle boot"]
H, W = 6, 5


@pytest.fixture
def weights():
    return np.random.default_rng(0).normal(size=(7, H, W)) * np.arange(1, 8)[:, None, None]


@pytest.fixture
def shown(weights):
    return {**dict.fromkeys(TITLES, weights), "none, Adam": None}


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 4, 3, 8, 8), np.uint8)


def mosaic(figure, panel=0):
    (image,) = figure.axes[panel].images
    return np.ma.filled(image.get_array(), np.nan)


def unit(figure, place, panel=0, across=3):
    y, x = (GAP + i * (n + GAP) for i, n in zip(divmod(place, across), (H, W), strict=True))
    return mosaic(figure, panel)[y : y + H, x : x + W]


def said(axes):
    return [text.get_text() for text in axes.texts]


def legend(figure):
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def png(figure):
    stream = io.BytesIO()
    with plt.rc_context(style.STYLE):
        figure.savefig(stream, format="png")
    return stream.getvalue()


def laid_out(figure):
    """Draw a figure, whose own canvas no longer does: pyplot has closed it."""
    with plt.rc_context(style.STYLE):
        FigureCanvasAgg(figure).draw()
    return figure


def outside(figure):
    """Return the texts of a figure that reach over its edge."""
    laid_out(figure)
    edge = figure.bbox
    off = [axis for axes in figure.axes if not axes.axison for axis in (axes.xaxis, axes.yaxis)]
    hidden = {text for axis in off for text in axis.findobj(plt.Text)}
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(plt.Text)
        if text.get_text() and text.get_visible() and text not in hidden
    ]
    return [
        text
        for text, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > edge.x1 or box.y1 > edge.y1
    ]


def test_each_run_is_a_panel_and_each_unit_a_tile(shown, weights):
    figure = weight_grid(shown, plan="p")
    assert [axes.get_title() for axes in figure.axes] == TITLES
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 0, 1]
    assert mosaic(figure).shape == (3 * (H + GAP) + GAP, 3 * (W + GAP) + GAP)
    for place, one in enumerate(weights):
        assert unit(figure, place) == pytest.approx(one / np.abs(one).max())
    assert np.isnan(mosaic(figure)).sum() == mosaic(figure).size - weights.size


def test_64_units_are_eight_by_eight():
    figure = weight_grid({"a": np.ones((64, 28, 28))}, plan="p")
    assert mosaic(figure).shape == (8 * (28 + GAP) + GAP,) * 2
    assert [axes.axison for axes in figure.axes] == [False, False]


def test_zero_is_white_in_the_middle_of_a_symmetric_scale(weights):
    weights[3] = 0
    weights[2, 0, 0] = 0
    figure = weight_grid({"a": weights}, plan="p")
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-1, 1)
    colour = {level: to_hex(image.cmap(image.norm(level))) for level in (-1, 0, 1)}
    assert colour[0] == "#ffffff"
    assert (colour[-1], colour[1]) == (COLOURS[0], COLOURS[-1])
    assert np.all(unit(figure, 3) == 0)
    assert np.abs(unit(figure, 2)).max() == np.abs(unit(figure, 0)).max() == 1
    assert legend(figure) == ["−max |w| of the unit", "0", "+max |w| of the unit"]


def test_weights_that_are_not_finite_are_grey_with_a_question_mark(weights):
    weights[1, 2, 3] = np.inf
    figure = weight_grid({"a": weights}, plan="p")
    assert np.isnan(unit(figure, 1)).all()
    assert said(figure.axes[0]) == ["?"]


def test_a_panel_without_a_run_says_so_and_is_not_signed(shown):
    figure = weight_grid(shown, plan="p")
    assert [said(axes) for axes in figure.axes] == [[], [], ["no runs recorded yet"], []]
    signed = figure.get_supxlabel().replace("\u00a0", " ").replace("\n", " ")
    assert signed == "Runs: plan p; one run each of none, SGD; BN, SGD; BN, Adam."
    empty = weight_grid(dict.fromkeys(TITLES), plan="p")
    assert empty.get_supxlabel() == "Runs: plan p; none is recorded yet."
    assert legend(empty) == []


def test_order_moves_units_and_marks_go_with_them(shown, weights):
    order = np.array([6, 0, 1, 2, 3, 4, 5])
    marked = np.arange(7) == 6
    figure = weight_grid(shown, plan="p", order={TITLES[0]: order}, marked={TITLES[0]: marked})
    assert unit(figure, 0) == pytest.approx(weights[6] / np.abs(weights[6]).max())
    assert unit(figure, 0, panel=1) == pytest.approx(weights[0] / np.abs(weights[0]).max())
    assert [len(axes.collections) for axes in figure.axes] == [3, 0, 0, 0]
    _box, frame, cross = figure.axes[0].collections
    (path,) = frame.get_paths()
    assert path.get_extents().bounds == (GAP / 2 - 0.5, GAP / 2 - 0.5, W + GAP, H + GAP)
    assert len(cross.get_segments()) == 2
    inside = np.concatenate(cross.get_segments())
    assert inside.min() > GAP - 0.5
    assert inside.max() < GAP + min(H, W) / 2
    assert legend(figure)[-1] == "no different from noise"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shown": {}}, "no panel"),
        ({"shown": {"a": np.ones((7, 30))}}, r"'a' have the shape \(7, 30\); give \(units"),
        ({"shown": {"a": np.ones((0, 5, 5))}}, r"\(0, 5, 5\)"),
        ({"order": {"b": np.arange(7)}}, r"'order' names \['b'\]"),
        ({"order": {"a": np.arange(6)}}, "7 units; give each index from 0 to 6 once"),
        ({"order": {"a": np.zeros(7, int)}}, "once"),
        ({"order": {"a": np.linspace(0, 1, 7)}}, r"numpy\.argsort"),
        ({"marked": {"a": np.ones(6, bool)}}, r"bool of shape \(6,\); give a bool for each"),
        ({"marked": {"a": np.arange(7)}}, "int64"),
    ],
)
def test_what_does_not_fit_a_grid_of_weights_is_told(changed, message):
    assert issubclass(PictureGridError, NormlibError)
    arguments = {"shown": {"a": np.ones((7, 5, 5))}, **changed}
    with pytest.raises(PictureGridError, match=message):
        weight_grid(plan="p", **arguments)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_at_its_class_and_condition(images, channels):
    axes = image_grid(TITLES, CLASSES, images[:, :, :channels], plan="p").axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == TITLES
    assert [tick.get_text() for tick in axes.get_yticklabels()] == CLASSES
    (drawn,) = axes.images
    assert drawn.get_interpolation() == "none"  # pixels as they are, in a PNG the nearest
    pixels = drawn.get_array()
    for r, y in enumerate(axes.get_yticks()):
        for c, x in enumerate(axes.get_xticks()):
            top, left = round(y - 3.5), round(x - 3.5)
            tile = pixels[top : top + 8, left : left + 8]
            assert np.all(tile[..., 3] == 255)
            expected = np.moveaxis(images[r, c, :channels], 0, -1)
            assert np.array_equal(tile[..., :3], np.broadcast_to(expected, (8, 8, 3)))
    assert (pixels[..., 3] == 255).sum() == images[:, :, 0].size
    assert said(axes) == []


def test_a_condition_without_a_run_is_grey_and_says_so(images):
    with_nan = images.astype(float)
    with_nan[:, 1] = np.nan
    with_none = [[None if c == 1 else one for c, one in enumerate(row)] for row in images]
    figures = [image_grid(TITLES, CLASSES, one, plan="p") for one in (with_nan, with_none)]
    for figure in figures:
        axes = figure.axes[0]
        assert said(axes) == ["no run"] * 3
        assert {text.get_position()[0] for text in axes.texts} == {axes.get_xticks()[1]}
        assert "BN,\u00a0SGD" not in figure.get_supxlabel()
        x, y = (round(ticks[1]) for ticks in (axes.get_xticks(), axes.get_yticks()))
        assert len(set(axes.images[0].get_array()[y, x, :3])) == 1
    assert len({png(figure) for figure in figures}) == 1
    nothing = image_grid(TITLES, CLASSES, [[None] * 4] * 3, plan="p")
    assert nothing.get_supxlabel() == "Runs: plan p; none is recorded yet."


def test_notes_are_below_their_images_and_above_the_next(images):
    notes = [[f"{r}.{c}" for c in range(4)] for r in range(3)]
    axes = laid_out(image_grid(TITLES, CLASSES, images, plan="p", notes=notes)).axes[0]
    assert said(axes) == [one for row in notes for one in row]
    rows = axes.get_yticks()
    for text in axes.texts:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        row = int(text.get_text()[0])
        assert min(box.y0, box.y1) > rows[row] + 3.5
        assert max(box.y0, box.y1) < rows[row] + (rows[1] - rows[0]) - 3.5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": []}, "0 rows and 4 columns"),
        ({"rows": CLASSES[:2]}, r"images have 3 rows of lengths \[4\]; give 2 rows of 4"),
        ({"columns": TITLES[:3]}, "give 3 rows of 3"),
        ({"notes": [["a"] * 4] * 2}, "notes have 2 rows"),
        ({"images": np.zeros((3, 4, 2, 8, 8))}, r"'T-shirt/top, none, SGD' has the shape \(2, 8"),
        ({"images": np.zeros((3, 4, 8, 8))}, "give \\(C, H, W\\)"),
        ({"images": np.full((3, 4, 1, 8, 8), 0.5)}, r"from 0\.5 to 0\.5; give uint8"),
        ({"images": np.full((3, 4, 1, 8, 8), 256)}, "not whole numbers from 0 to 255"),
        ({"images": [[np.zeros((1, 8, 8 + c)) for c in range(4)]] * 3}, "several sizes"),
    ],
)
def test_what_does_not_fit_a_grid_of_images_is_told(images, changed, message):
    arguments = {"columns": TITLES, "rows": CLASSES, "images": images, **changed}
    with pytest.raises(PictureGridError, match=message):
        image_grid(plan="p", **arguments)


def test_an_image_partly_nan_is_no_missing_run(images):
    broken = images.astype(float)
    broken[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(PictureGridError, match="from nan to nan"):
        image_grid(TITLES, CLASSES, broken, plan="p")


def many(images):
    """Return a grid with as many images as CIFAR-10 has classes, notes and all."""
    rows = [*CLASSES, *["a class whose name is long"] * 7]
    return image_grid(
        TITLES,
        rows,
        images[[0, 1] * 5].repeat(4, -1).repeat(4, -2),
        plan="two-layer-hallucinations",
        notes=[["0.97"] * 4] * 10,
    )


def test_no_text_reaches_over_the_edge(shown, images):
    marked = {TITLES[0]: np.ones(7, bool)}
    long = {"a title that is too long for one line of a panel of this width": shown[TITLES[0]]}
    for figure in (
        weight_grid(shown, plan="two-layer-first-layer", marked=marked),
        weight_grid(dict.fromkeys(TITLES), plan="p"),
        weight_grid(long, plan="p"),
        image_grid(TITLES, CLASSES, images, plan="p"),
        image_grid(["none, Adam", "a long condition"], CLASSES, images[:, :2], plan="p"),
        image_grid(["BN"], ["automobile"], [[None]], plan="p"),
        many(images),
    ):
        assert outside(figure) == []


def test_a_phone_need_not_shrink_them_to_nothing(shown, images):
    phone = 390 / 96
    panel = weight_grid(shown, plan="p")
    assert panel.axes[0].title.get_fontsize() * phone / panel.get_size_inches()[0] >= 7
    grid = many(images)
    sizes = [text.get_fontsize() for text in grid.axes[0].texts]
    assert min(sizes) * min(1, phone / grid.get_size_inches()[0]) >= 7


def test_the_same_bytes_every_time(shown, images):
    for draw in (lambda: weight_grid(shown, plan="p"), lambda: many(images)):
        assert len({png(draw()) for _ in range(2)}) == 1
