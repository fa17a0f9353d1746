"""The catalogue as tables: papers are read, defaults are listed."""

from dataclasses import dataclass, field

import pandas as pd
import pytest

from normlib.analysis import catalogued


@dataclass
class Entry:
    """As much of a Method as the tables read."""

    name: str
    paper: str = ""
    title: str = "Title"
    family: str = "batch"
    kind: str = "sphere"
    projected: str = "activation"
    axes: str = "NHW"
    centered: bool = True
    learnable: str = ""
    batch_statistics: bool = True
    running: bool = False
    defaults: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("paper", "authors", "year", "url"),
    [
        ("Wu and He 2018, https://a.org/1803.08494", "Wu and He", 2018, "https://a.org/1803.08494"),
        ("Huang et al. 2017 (ICCV)", "Huang et al.", 2017, ""),
        ("Krizhevsky, Sutskever and Hinton 2012", "Krizhevsky, Sutskever and Hinton", 2012, ""),
    ],
)
def test_a_paper_is_authors_year_and_address(paper, authors, year, url):
    row = catalogued.methods({"a": Entry("a", paper)}).iloc[0]
    assert (row["authors"], row["year"], row["url"]) == (authors, year, url)


def test_no_paper_is_no_year():
    row = catalogued.methods({"a": Entry("a")}).iloc[0]
    assert (row["authors"], row["url"]) == ("", "")
    assert pd.isna(row["year"])


def test_a_paper_that_cannot_be_read_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"paper of 'a' is 'somewhere'; write"):
        catalogued.methods({"a": Entry("a", "somewhere")})


def test_defaults_have_a_row_per_implementation():
    entry = Entry("a", defaults={"torch": "eps 1", "Keras": "eps 2"})
    found = catalogued.defaults({"a": entry, "b": Entry("b")})
    assert found["implementation"].tolist() == ["torch", "Keras"]
    assert found["default"].tolist() == ["eps 1", "eps 2"]


def test_the_whole_catalogue_can_be_read():
    from normlib.methods import catalogue

    found = catalogued.methods(catalogue)
    assert found["name"].tolist() == list(catalogue)
    dated = found[found["paper"] != ""]
    assert dated["year"].between(1990, 2100).all()
