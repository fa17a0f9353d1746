"""Tables that cite: by address, or by first author and year; else a link."""

import pandas as pd
import pytest

from normlib.analysis import catalogued
from normlib.book import cited

BIBLIOGRAPHY = r"""% A comment.

@inproceedings{wu2018group,
  author = {Wu, Yuxin and He, Kaiming},
  title = {Group {Norm}},
  year = {2018},
  url = {https://arxiv.org/abs/1803.08494}
}

@misc{krizhevsky2012imagenet,
  author = {Krizhevsky, Alex and Sutskever, Ilya},
  year = {2012}
}
"""


@pytest.mark.parametrize(
    ("paper", "shown"),
    [
        ("Wu and He 2018, https://arxiv.org/abs/1803.08494", "{cite:t}`wu2018group`"),
        ("Krizhevsky, Sutskever and Hinton 2012", "{cite:t}`krizhevsky2012imagenet`"),
        ("Wu and He 2018, https://arxiv.org/abs/9", "[Wu and He 2018](https://arxiv.org/abs/9)"),
        ("Krizhevsky 2013", "Krizhevsky 2013"),
        ("", ""),
    ],
)
def test_a_paper_is_cited_linked_or_named(paper, shown, tmp_path):
    file = tmp_path / "references.bib"
    file.write_text(BIBLIOGRAPHY)
    table = catalogued.dated(pd.DataFrame({"name": ["a"], "paper": [paper]}))
    assert cited.papers(table, file) == [shown]


def test_every_paper_of_the_catalogue_is_in_the_bibliography():
    from normlib.methods import catalogue

    table = catalogued.methods(catalogue)
    missing = [
        paper
        for paper, shown in zip(table["paper"], cited.papers(table), strict=True)
        if paper and not shown.startswith("{cite:t}")
    ]
    assert missing == []


def test_the_table_is_markdown_in_which_a_cell_cannot_break_out():
    shown = cited.Cited(pd.DataFrame({"a": ["x | y\nz"], "b": [True]}), "Words.")
    markdown = shown._repr_markdown_()
    assert markdown.startswith("*Words.*\n\n```{table}\n:class: dataframe\n\n| a | b |\n")
    assert "| x \\| y z | yes |" in markdown
    assert repr(shown) == "Words.\na | b\nx | y\nz | yes"
