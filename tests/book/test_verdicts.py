"""The page of all claims: what chapters glued, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from normlib.book import verdicts
from normlib.book.execute import Execution
from normlib.book.layout import BookError
from normlib.claims import CLAIMS
from normlib.claims.claim import Claim


def glued(name: str, value: object) -> dict[str, Any]:
    prefix = "application/papermill.record/"
    return {
        "output_type": "display_data",
        "data": {f"{prefix}text/plain": repr(value)},
        "metadata": {"scrapbook": {"mime_prefix": prefix, "name": name}},
    }


def executed(folder: Path, chapter: str, values: dict[str, object]) -> Execution:
    cell = {
        "cell_type": "code",
        "source": "",
        "metadata": {},
        "outputs": [glued(name, value) for name, value in values.items()],
    }
    file = folder / f"{chapter}.ipynb"
    file.write_text(json.dumps({"cells": [cell]}), encoding="utf8")
    return Execution(folder / "chapters" / f"{chapter}.ipynb", file, cached=False, seconds=0.0)


def claim(name: str, *chapters: str) -> Claim:
    return Claim(
        id=name,
        source=name[0],
        claim=f"what {name} says",
        reading=f"Needs runs with `batch-minus` for {name}.",
        decision="computed" if chapters else "not tested yet",
        chapters=chapters,
    )


def rows(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]


def test_a_claim_stands_with_its_verdict_what_it_rests_on_and_its_chapter(tmp_path: Path) -> None:
    one = executed(tmp_path, "05_runs", {"05-B1": "supported", "05-B1-rests": "+1 [0, 2] | 4",
                                         "05-B1-other": "no", "05-n": 3})  # fmt: skip
    page = verdicts.page([one], [claim("B1", "05_runs")])
    assert rows(page)[1:] == [
        r"| B1 | what B1 says | **supported** | +1 [0, 2] \| 4 | {doc}`1 <chapters/05_runs>` |"
    ]
    assert "Of 1 claims of the five sources, as things stand: 1 supported, 0 contradicted" in page
    assert "{cite:t}`nagaraja_lab`" in page
    assert "## Source A" not in page


def test_a_claim_in_two_chapters_has_a_row_for_each(tmp_path: Path) -> None:
    first = executed(tmp_path, "04_layers", {"04-B8": "contradicted", "04-B8-rests": "gradients"})
    last = executed(tmp_path, "05_runs", {"05-B8": "not decided by these runs"})
    page = verdicts.page([first, last], [claim("B8", "04_layers", "05_runs")])
    assert [row.split(" | ")[2] for row in rows(page)[1:]] == [
        "**contradicted**",
        "not decided by these runs",
    ]
    assert [row.split(" | ")[4][:7] for row in rows(page)[1:]] == ["{doc}`1", "{doc}`2"]
    assert "0 supported, 1 contradicted, 0 not decided, 0 not tested yet" in page


def test_what_nobody_has_tested_is_listed_with_what_it_takes(tmp_path: Path) -> None:
    draft = claim("C5", "07_draft")
    page = verdicts.page([executed(tmp_path, "05_runs", {})], [claim("E12"), draft])
    assert "| E12 | what E12 says | not tested yet | Needs runs with BN-minus for E12. |" in page
    assert "| C5 | what C5 says | not tested yet | Its runs are still to come. |" in page
    assert page.index("Source C") < page.index("Source E")


def test_a_chapter_that_forgets_a_verdict_is_named(tmp_path: Path) -> None:
    one = executed(tmp_path, "05_runs", {"05-B2": "supported"})
    with pytest.raises(BookError, match="05_runs has no verdict on B1: glue each answer as 05-B1"):
        verdicts.page([one], [claim("B1", "05_runs"), claim("B2", "05_runs")])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), "not tested yet"),
        (("supported",), "supported"),
        (("not decided by these runs", "supported"), "supported"),  # the last has all runs
        (("supported", "not decided by these runs"), "not decided"),
        (("contradicted", "supported"), "contradicted"),
        (("see the parity table",), "not decided"),
    ],
)
def test_all_parts_of_a_claim_must_hold(answers: tuple[str, ...], expected: str) -> None:
    said = [verdicts.Said(chapter="05", number=1, answer=answer, rests="") for answer in answers]
    assert verdicts.overall(said) == expected


def test_every_claim_of_every_source_is_on_the_page() -> None:
    page = verdicts.page([])
    assert [row.split(" | ")[0].strip("| ") for row in rows(page) if row[2] in "ABCDE"] == list(
        CLAIMS
    )
    assert f"0 supported, 0 contradicted, 0 not decided, {len(CLAIMS)} not tested yet" in page
