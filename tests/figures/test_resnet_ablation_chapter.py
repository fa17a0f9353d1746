"""Chapter 08 holds whatever is recorded: nothing, a CPU's part, or all; its prose has no holes."""

import json
import re

import pytest

from normlib import paths
from normlib.book import gluing
from normlib.records import Store
from tests.claims.resnets import SOURCES, fake_resnet, fake_table

CHAPTER = paths.root() / "chapters" / "08_resnet_ablation.ipynb"
ON_A_CPU = [
    fake_resnet(cell, seed, level, epochs=epochs)
    for model, seeds, epochs in (("resnet18", 2, 15), ("resnet50", 3, 5))
    for cell, level in SOURCES.items()
    if (cell.model, cell.batch_size) == (model, 50)
    for seed in range(seeds)
]
RECORDS = {
    "nothing": [],
    "one run": ON_A_CPU[:1],
    "a CPU's": ON_A_CPU,
    "all": [*fake_table(SOURCES), *ON_A_CPU[8:]],
}


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


@pytest.mark.parametrize("records", RECORDS)
def test_every_number_of_the_prose_is_there(execute, records, capsys):
    glued = execute(RECORDS[records])
    asked = re.findall(r"\{glue:text\}`([^`:]+)", "\n".join(map(lines, cells("markdown"))))
    assert asked
    assert set(asked) == set(glued)
    assert all(isinstance(value, str) and value for value in glued.values())
    out = capsys.readouterr().out
    assert not re.search(r"\bnan\b|\bNone\b(?! of)", " ".join(glued.values()) + out)
    decided = {glued[f"08-{name}"] for name in ("E1", "E3", "E9", "E10")}
    assert (decided == {"not decided by these runs"}) == (records != "all")


def test_a_cpus_runs_are_shown_and_told_apart(execute, capsys):
    glued = execute(RECORDS["a CPU's"])
    out = capsys.readouterr().out
    assert "8 of 128 runs of plan resnet-ablation" in out
    assert "normlib run resnet-ablation" in out
    assert "runs cut short: 12 of 12" in out
    assert "resnet18, batch 50, batch-minus:" in out
    assert not re.search(r"^resnet50, batch", out, re.M)
    assert glued["08-early"].startswith("BN-minus − none")
    assert glued["08-E3-rests"] == "none of its comparisons has a run yet"


def test_whole_runs_do_not_enter_what_is_said_of_those_cut_short(execute):
    only_whole = execute(fake_table(SOURCES))
    assert "for lack of" in only_whole["08-early"]
    assert "none of 12 runs" in only_whole["08-cut"]


def test_the_prose_types_no_result():
    for cell in cells("markdown"):
        text = re.sub(r"`[^`]*`|\{[^}]*\}", "", lines(cell))
        assert not re.search(r"\b[4-9]\d\.\d|[+−]\d|p\s*[<=]\s*0", text)


def test_every_figure_has_caption_alt_text_and_runs():
    drawing = [cell for cell in cells("code") if re.search(r"^resnets\w*\.", lines(cell), re.M)]
    assert len(drawing) == 10
    names = [cell["metadata"]["mystnb"]["figure"]["name"] for cell in drawing]
    assert len(set(names)) == len(names)
    for cell in drawing:
        about = cell["metadata"]["mystnb"]
        assert "Runs: plan resnet-" in about["figure"]["caption"]
        assert len(about["image"]["alt"]) > 60


def test_cells_are_short_and_enough_are_checked():
    code = cells("code")
    assert max(len(lines(cell).split("\n")) for cell in code) <= 20
    checked = [cell for cell in code if "nbval-check-output" in cell["metadata"].get("tags", ())]
    assert len(checked) >= 5
    assert all(cell["outputs"] for cell in checked)
