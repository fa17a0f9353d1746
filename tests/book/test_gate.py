"""Each defect that Jupyter Book lets through is planted once, and found."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from normlib.book import gate
from normlib.book.gate import notebooks, pages
from normlib.book.layout import Book, BookError
from tests.book import small

GLUE = "application/papermill.record/text/plain"


def staged(tmp_path: Path, *cells: dict[str, Any]) -> list[str]:
    small.save(tmp_path, "01_small", small.notebook(cells))
    return list(notebooks.found(tmp_path))


def cell(*outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**small.code("one", "1", **metadata), "outputs": list(outputs)}


def shown(**data: str) -> dict[str, Any]:
    mimes = {name.replace("_", "/"): value for name, value in data.items()}
    return {"output_type": "display_data", "data": mimes, "metadata": {}}


def glued(name: str, value: str) -> dict[str, Any]:
    book = {"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}}
    return {"output_type": "display_data", "data": {GLUE: value}, "metadata": book}


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


PICTURE = shown(**{"image_svg+xml": "<svg/>"})
WIDGET = {"application/vnd.jupyter.widget-view+json": "{}"}
FAILED = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (FAILED, "failed with ValueError: no"),
        (stream("UserWarning", "stderr"), "wrote to stderr: 'UserWarning'"),
        ({"output_type": "display_data", "data": WIDGET, "metadata": {}}, "loads scripts"),
        (shown(application_javascript="1"), "loads scripts"),
        (shown(text_html="<script src='x'></script>"), "HTML with a script"),
        (shown(text_plain="np.float64(0.5)"), "the repr 'np.float64('"),
        (shown(text_plain="[np.int64(3)]"), "the repr 'np.int64('"),
        (shown(text_plain="tensor([1.])"), "the repr 'tensor('"),
        (shown(text_plain="<Figure size 640x480 with 1 Axes>"), "<Figure size"),
        (shown(text_plain="<Axes: xlabel='x'>"), "<Axes"),
        (shown(text_plain="<pandas.io.formats.style.Styler object at 0x7f12ab>"), "<pandas."),
        (shown(text_plain="<function f>"), "<function "),
        (shown(text_html="<td>np.float64(0.5)</td>"), "np.float64("),
        (stream("object at 0x7f00aa11"), " at 0x7f00aa"),
        (glued("x", "np.float64(0.5)"), "np.float64("),
        (glued("x", "nan"), "glue 'x' is empty or not finite"),
        (glued("x", "''"), "glue 'x' is empty"),
        (glued("x", "None"), "glue 'x' is empty"),
    ],
)
def test_an_output(output: dict[str, Any], told: str, tmp_path: Path) -> None:
    assert any(told in slip for slip in staged(tmp_path, cell(output)))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"image": {"alt": "x"}, "figure": {"name": "n"}}, "figure without caption"),
        ({"figure": {"name": "n", "caption": "Runs: all."}}, "figure without alt text"),
        ({"image": {"alt": " "}, "figure": {"name": "n"}}, "figure without alt text"),
        ({"image": {"alt": "x"}, "figure": {"caption": "Runs: all."}}, "figure without name"),
        ({"image": {"alt": "x"}, "figure": {"name": "n", "caption": "Lines."}}, "names no runs"),
        ({}, "figure without caption"),
    ],
)
def test_a_figure_without_words(words: dict[str, Any], told: str, tmp_path: Path) -> None:
    assert any(told in slip for slip in staged(tmp_path, cell(PICTURE, mystnb=words)))


def test_two_figures_of_one_caption(tmp_path: Path) -> None:
    slips = staged(tmp_path, cell(PICTURE, PICTURE, mystnb=small.WORDS))
    assert slips == ["01_small, cell 1: shows 2 figures: one cell, one figure, one caption"]


def test_a_glue_name_used_twice(tmp_path: Path) -> None:
    slips = staged(tmp_path, cell(glued("x", "1")), cell(glued("x", "2")))
    assert slips == ["glue 'x' is stored 2 times"]


def test_clean_outputs_pass(tmp_path: Path) -> None:
    outputs = [
        stream("values: [0.5, 0.25]"),
        glued("x", "0.5"),
        shown(text_html="<table></table>", text_plain="0"),
    ]
    assert staged(tmp_path, cell(*outputs), cell(PICTURE, mystnb=small.WORDS)) == []


def test_a_failed_stage_is_an_error_that_lists_everything(tmp_path: Path) -> None:
    book = Book(root=tmp_path, build=tmp_path)
    small.save(book.stage, "01_small", small.notebook([cell(FAILED), cell(PICTURE)]))
    with pytest.raises(BookError, match="the gate stops at 4 in staged notebooks") as error:
        gate.check_stage(book)
    assert "cell 1: failed with ValueError" in str(error.value)
    assert "cell 2: figure without alt text" in str(error.value)


def planted(text: str) -> Callable[[str], str]:
    return lambda page: page.replace("</article>", f"{text}</article>", 1)


def head(text: str) -> Callable[[str], str]:
    return lambda page: page.replace("</head>", f"{text}</head>", 1)


PAGE_DEFECTS: dict[str, tuple[Callable[[str], str], str]] = {
    "script": (head('<script src="https://cdn.org/x.js"></script>'), "<script src="),
    "script without scheme": (head('<script src="//cdn.org/x.js"></script>'), "<script src="),
    "style sheet": (head('<link rel="stylesheet" href="https://x.org/a.css">'), "<link href="),
    "font": (head('<link rel="preconnect" href="https://fonts.org">'), "<link href="),
    "icon": (head('<link rel="icon" href="http://x.org/i.png">'), "<link href="),
    "image": (planted('<img alt="x" src="https://x.org/a.png">'), "<img src="),
    "second image": (planted('<img alt="x" srcset="a.png, https://x.org/a.png 2x">'), "srcset"),
    "frame": (planted('<iframe src="https://x.org"></iframe>'), "<iframe src="),
    "video": (planted('<video poster="https://x.org/p.png"></video>'), "<video poster="),
    "style": (planted("<p style=\"background: url('https://x.org/a.png')\">x</p>"), "style of <p>"),
    "style element": (head("<style>@import 'https://x.org/a.css'</style>"), "a <style> would"),
    "import": (head('<script>import("https://x.org/a.js")</script>'), "a script would fetch"),
    "fetch": (head('<script>fetch("https://x.org")</script>'), "a script would fetch"),
    "no alt": (planted('<img src="a.png">'), "image without alt text: a.png"),
    "empty alt": (planted('<img src="a.png" alt="">'), "image without alt text: a.png"),
    "numpy": (planted("<p>np.float64(0.5)</p>"), "the repr 'np.float64('"),
    "tensor": (planted("<pre>tensor([1.])</pre>"), "the repr 'tensor('"),
    "figure repr": (planted("<pre>&lt;Figure size 640x480&gt;</pre>"), "<Figure size"),
    "nan in prose": (planted("<p>The difference is nan points.</p>"), "'nan' in prose"),
    "inf in prose": (planted("<p>It took -inf seconds.</p>"), "'-inf' in prose"),
    "nan in a table": (planted("<table><tr><td>NaN</td></tr></table>"), "a table shows 'NaN'"),
    "none in a table": (planted("<table><tr><td>None</td></tr></table>"), "a table shows 'None'"),
    "nan in a cell of words": (planted("<table><tr><td>nan (1.2)</td></tr></table>"), "'nan'"),
    "nan in an output": (
        planted('<div class="cell_output"><pre>batch: nan over 10 seeds</pre></div>'),
        "an output shows 'nan'",
    ),
    "empty glue": (planted('<p>It is <span class="pasted-text"></span>.</p>'), "empty glue"),
    "open reference": (planted("<p>see {numref}fig-x</p>"), "unresolved '{numref}'"),
    "open question": (planted("<p>see Fig. ??</p>"), "unresolved '"),
    "system message": (planted('<div class="system-message">no</div>'), "unresolved: 'no'"),
    "figure without caption": (planted('<figure id="f"></figure>'), "figure without caption: f"),
    "double id": (planted('<p id="d"></p><p id="d"></p>'), "id 'd' stands 2 times"),
    "dead page": (planted('<a href="nowhere.html">x</a>'), "link to nowhere.html"),
    "dead place": (planted('<a href="index.html#nowhere">x</a>'), "index.html#nowhere"),
    "dead place here": (planted('<a href="#nowhere">x</a>'), "index.html#nowhere"),
}


def slips(html: Path, book: Book) -> str:
    with pytest.raises(BookError) as error:
        gate.check_html(book, html)
    return str(error.value)


@pytest.fixture
def html(built: Book, tmp_path: Path) -> Path:
    keep = shutil.ignore_patterns("locales", "*.js", "*.map")
    return Path(shutil.copytree(built.html, tmp_path / "html", ignore=keep))


def test_a_clean_book_passes(built: Book) -> None:
    gate.check_stage(built)
    gate.check_html(built, built.html)


@pytest.mark.parametrize("defect", PAGE_DEFECTS)
def test_a_page_with(defect: str, built: Book, html: Path) -> None:
    change, told = PAGE_DEFECTS[defect]
    index = html / "index.html"
    before = index.read_text()
    index.write_text(change(before))
    assert index.read_text() != before
    assert told in slips(html, built)


def test_a_page_that_names_the_machine(built: Book, html: Path) -> None:
    index = html / "index.html"
    index.write_text(planted(f"<pre>{built.root}/chapters/x.py</pre>")(index.read_text()))
    assert "names this machine's" in slips(html, built)


def test_a_style_sheet_that_loads(built: Book, html: Path) -> None:
    (html / "_static" / "extra.css").write_text("@font-face {src: url(https://x.org/a.woff2)}")
    assert "_static/extra.css: loads from another machine" in slips(html, built)


def test_a_figure_number_twice(built: Book, html: Path) -> None:
    figure = (
        '<figure id="two"><figcaption><span class="caption-number">Fig. 1.1 </span>'
        '<span class="caption-text">x</span></figcaption></figure>'
    )
    for name in ("index.html", "bibliography.html"):
        page = html / name
        page.write_text(planted(figure)(page.read_text()))
    assert "Fig. 1.1 stands " in slips(html, built)


def test_source_code_may_say_nan_and_tensor(built: Book, html: Path) -> None:
    index = html / "index.html"
    words = '<p>Write <code>float("nan")</code>; NaN is contagious, and so is finance.</p>'
    cell_input = '<div class="cell_input"><pre>x = torch.tensor([1.0])</pre></div>'
    index.write_text(planted(words + cell_input)(index.read_text()))
    gate.check_html(built, html)


def test_links_that_wait_for_a_click_pass(built: Book, html: Path) -> None:
    index = html / "index.html"
    link = '<a href="https://arxiv.org/abs/1502.03167">paper</a>'
    index.write_text(planted(link)(index.read_text()))
    gate.check_html(built, html)


def test_a_missing_book_says_how_to_get_one(book: Book) -> None:
    with pytest.raises(BookError, match=r"no book at .*: run make book"):
        gate.check_html(book, book.html)


def test_this_machines_places(book: Book) -> None:
    assert any(str(book.root.resolve()) in place for place in pages.machine_places(book))
    assert "/" not in pages.machine_places(book)
