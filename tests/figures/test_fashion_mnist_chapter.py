"""Chapter 05 holds whatever is recorded: nothing, a part, or all; its prose has no holes."""

import json
import re

import pytest

from normlib import paths
from normlib.book import gluing
from normlib.records import Store
from tests.fakes import fake_record, fake_sweep

CHAPTER = paths.root() / "chapters" / "05_fashion_mnist.ipynb"
PARTIAL = {"none": 20, "batch": 7, "layer": 2, "tensorflow:batch": 1}


def cells(kind):
    chapter = json.loads(CHAPTER.read_text(encoding="utf8"))
    return [cell for cell in chapter["cells"] if cell["cell_type"] == kind]


def lines(cell):
    return "".join(cell["source"])


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run the chapter's code cells on these records; return what they glued."""

    def run(records):
        store = Store([tmp_path], write_to=tmp_path)
        for record in records:
            store.save(record)
        glued = {}
        monkeypatch.setattr(Store, "default", lambda: store)
        monkeypatch.setattr(
            gluing, "glue", lambda name, value: glued.update({name: gluing.plain(name, value)})
        )
        names = {}
        for cell in cells("code"):
            exec(compile(lines(cell), str(CHAPTER), "exec"), names)
        return glued

    return run


@pytest.mark.parametrize(
    "records",
    [
        [],
        fake_sweep(PARTIAL),
        fake_sweep(),
        [fake_record("none", s) for s in range(4)]
        + [fake_record("batch", s, diverged_at=2) for s in range(4)],
    ],
    ids=["nothing", "a part", "all", "diverged"],
)
def test_every_number_of_the_prose_is_there(execute, records, capsys):
    glued = execute(records)
    prose = "\n".join(map(lines, cells("markdown")))
    asked = set(re.findall(r"\{glue:text\}`([^`:]+)", prose))
    assert asked
    assert asked <= set(glued)
    assert all(isinstance(value, str) and value for value in glued.values())
    assert "nan" not in " ".join(map(str, glued.values()))
    assert "nan" not in capsys.readouterr().out


def test_missing_runs_are_named_with_the_command(execute, capsys):
    execute(fake_sweep(PARTIAL))
    out = capsys.readouterr().out
    assert "30 of 120 runs" in out
    assert "batch 13, layer 18" in out
    assert "normlib run fashion-mnist" in out


def test_the_prose_types_no_result():
    for cell in cells("markdown"):
        text = re.sub(r"`[^`]*`|\{[^}]*\}", "", lines(cell))
        assert not re.search(r"\b[89]\d\.\d|[+−]0\.\d|p\s*[<=]\s*0", text)


def test_every_figure_has_caption_alt_text_and_runs():
    drawing = [cell for cell in cells("code") if re.search(r"^figures\.\w+\(", lines(cell), re.M)]
    assert len(drawing) == 10
    names = [cell["metadata"]["mystnb"]["figure"]["name"] for cell in drawing]
    assert len(set(names)) == len(names)
    for cell in drawing:
        about = cell["metadata"]["mystnb"]
        assert "Runs: plan fashion-mnist" in about["figure"]["caption"]
        assert len(about["image"]["alt"]) > 60


def test_cells_are_short_and_enough_are_checked():
    code = cells("code")
    assert max(len(lines(cell).split("\n")) for cell in code) <= 15
    checked = [cell for cell in code if "nbval-check-output" in cell["metadata"].get("tags", ())]
    assert len(checked) >= 5
    assert all(cell["outputs"] for cell in checked)
