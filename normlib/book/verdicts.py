"""The page of all claims: what each source says, what the chapters found, and where.

Verdicts are read from the executed chapters, which glue them under ``NN-ID``, and what they rest on
under ``NN-ID-rests``: the page cannot say anything else than the chapter it points to.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from normlib.book import notebook
from normlib.book.execute import Execution
from normlib.book.layout import BookError
from normlib.book.ledger import said as labelled
from normlib.book.markdown import table
from normlib.book.notebook import Notebook
from normlib.claims import CLAIMS, Claim
from normlib.claims.verdicts import CONTRADICTED, OPEN, SUPPORTED, UNTESTED

#: Each source as the bibliography has it.
SOURCES: Final = {
    "A": "nicholson2025analysis",
    "B": "nagaraja_lab",
    "C": "batchnorm_in_practice",
    "D": "salina_unified",
    "E": "peerthum2023empirical",
}
GLUED: Final = re.compile(r"\d\d-(?P<claim>[A-E]\d+)(?P<rests>-rests)?")


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one chapter says of one claim; ``number`` is the chapter's in the book."""

    chapter: str
    number: int
    answer: str
    rests: str


def page(executions: Iterable[Execution], claims: Sequence[Claim] = tuple(CLAIMS.values())) -> str:
    """Return the page as MyST Markdown.

    Args:
        executions: the executed chapters, in reading order.
        claims: the claims to list, in order.

    Raises:
        BookError: an executed chapter has no verdict on a claim that it is to decide.
    """
    said: dict[str, list[Said]] = {}
    for number, execution in enumerate(executions, start=1):
        chapter, found = execution.chapter.stem, answers(notebook.read(execution.output))
        silent = [one.id for one in claims if chapter in one.chapters and one.id not in found]
        if silent:
            raise BookError(
                f"{chapter} has no verdict on {', '.join(silent)}: glue each answer as "
                f"{chapter[:2]}-{silent[0]}"
            )
        for claim, (answer, rests) in found.items():
            one = Said(chapter=chapter, number=number, answer=answer, rests=rests)
            said.setdefault(claim, []).append(one)
    parts = [
        "# All claims and their verdicts",
        f"{_tally([overall(said.get(one.id, [])) for one in claims])} A claim is *supported* if "
        "the tests that it needs hold, *contradicted* if one of them is reversed so that they no "
        "longer can, and otherwise *not decided*. How each is read was written down before its "
        "runs were recorded, and stands in the chapter that decides it, with the runs. Differences "
        "of accuracies are in points, with 95% intervals over seeds in brackets.",
    ]
    for source, cited in SOURCES.items():
        rows = [row for one in claims if one.source == source for row in _rows(one, said)]
        if rows:
            titles = ["claim", "the source says", "verdict", "it rests on", "chapter"]
            parts += [f"## Source {source}", f"{{cite:t}}`{cited}`.", table(titles, rows)]
    return "\n\n".join([*parts, ""])


def answers(executed: Notebook) -> dict[str, tuple[str, str]]:
    """Return the verdicts that an executed chapter glued: claim to answer and what it rests on."""
    answer: dict[str, str] = {}
    rests: dict[str, str] = {}
    for name, value in _glued(executed):
        if found := GLUED.fullmatch(name):
            (rests if found["rests"] else answer)[found["claim"]] = value
    return {claim: (value, rests.get(claim, "")) for claim, value in answer.items()}


def _glued(executed: Notebook) -> Iterator[tuple[str, str]]:
    for _, cell in notebook.code_cells(executed):
        for output in cell.get("outputs", []):
            of = output.get("metadata", {}).get("scrapbook")
            if of:
                text = notebook.text(output["data"][f"{of['mime_prefix']}text/plain"])
                if text.startswith(("'", '"')):
                    yield of["name"], ast.literal_eval(text)


def overall(said: Sequence[Said]) -> str:
    """Return one answer for a claim: all its parts must hold, and the last chapter has all runs."""
    if not said:
        return UNTESTED
    if any(one.answer == CONTRADICTED for one in said):
        return CONTRADICTED
    return SUPPORTED if said[-1].answer == SUPPORTED else OPEN


def _rows(claim: Claim, said: dict[str, list[Said]]) -> list[list[str]]:
    """Return a claim's rows: one for each chapter that says something of it."""
    here = said.get(claim.id, [])
    if not here:
        why = (
            labelled(claim.reading) if claim.decision == UNTESTED else "Its runs are still to come."
        )
        return [[claim.id, claim.claim, UNTESTED, why, "\N{EN DASH}"]]
    return [
        [
            claim.id,
            claim.claim,
            f"**{one.answer}**" if one.answer in (SUPPORTED, CONTRADICTED) else one.answer,
            one.rests,
            f"{{doc}}`{one.number} <chapters/{one.chapter}>`",
        ]
        for one in here
    ]


def _tally(found: Sequence[str]) -> str:
    count = Counter(found)
    said = ", ".join(f"{count[one]} {one}" for one in (SUPPORTED, CONTRADICTED, OPEN, UNTESTED))
    return f"Of {len(found)} claims of the five sources, as things stand: {said}."
