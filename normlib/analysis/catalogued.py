"""The catalogue as tidy tables: one row per method, and one per default that differs."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from normlib.methods import Method

#: What is read off a Method as it is.
FIELDS = (
    "name",
    "title",
    "family",
    "kind",
    "projected",
    "axes",
    "centered",
    "learnable",
    "batch_statistics",
    "running",
    "paper",
)
#: ``Ioffe and Szegedy 2015, https://...`` or ``Huang et al. 2017 (ICCV)``.
PAPER = re.compile(r"(?P<authors>[^\d]+) (?P<year>(?:19|20)\d\d)(?: \(.*\))?(?:, (?P<url>\S+))?")


def methods(catalogue: Mapping[str, "Method"]) -> pd.DataFrame:
    """Return FIELDS of every method, and its paper's authors, year and url where it has them."""
    rows = [{name: getattr(one, name) for name in FIELDS} for one in catalogue.values()]
    return dated(pd.DataFrame(rows, columns=list(FIELDS)))


def dated(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` with the columns authors, year and url, read from its column paper.

    Raises:
        ValueError: a paper is not written as authors, year and perhaps a place.
    """
    found = []
    for name, paper in zip(table["name"], table["paper"], strict=True):
        read = PAPER.fullmatch(paper)
        if paper and read is None:
            raise ValueError(
                f"the paper of {name!r} is {paper!r}; write authors, year and address as in "
                f"'Wu and He 2018, https://arxiv.org/abs/1803.08494'"
            )
        found.append(read.groupdict() if read else dict.fromkeys(("authors", "year", "url")))
    new = pd.DataFrame(found, columns=["authors", "year", "url"], index=table.index)
    return table.assign(
        authors=new["authors"].fillna(""),
        year=new["year"].astype("Int64"),
        url=new["url"].fillna(""),
    )


def defaults(catalogue: Mapping[str, "Method"]) -> pd.DataFrame:
    """Return what well-known implementations do, where they disagree, one row for each."""
    rows = [
        (one.name, one.title, implementation, what)
        for one in catalogue.values()
        for implementation, what in one.defaults.items()
    ]
    return pd.DataFrame(rows, columns=["name", "title", "implementation", "default"])
