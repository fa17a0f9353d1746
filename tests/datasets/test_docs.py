"""data/README.md says what the table of data sets says."""

from pathlib import Path

import pytest

from normlib.datasets import INFO, SPLITS

TEXT = (Path(__file__).resolve().parents[2] / "data" / "README.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """Return the rows of the Markdown table whose header starts with ``header``."""
    lines = TEXT.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(header))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_sets() -> None:
    assert table("| data set | images |") == [
        [
            f"`{info.name}`",
            f"{info.sizes['train']:,} and {info.sizes['test']:,}",
            " x ".join(map(str, info.shape)),
            info.licence,
            info.origin,
        ]
        for info in INFO.values()
    ]


def test_ways() -> None:
    assert table("| data set | ways |") == [
        [f"`{info.name}`", "; or ".join(info.ways) or "always there"] for info in INFO.values()
    ]


def test_hashes() -> None:
    expected = [[f"{i.name} {split}", i.sha256[split]] for i in INFO.values() for split in SPLITS]
    assert table("| split | sha256 |") == expected


def test_moments() -> None:
    assert table("| data set | mean |") == [
        [f"`{info.name}`", *(", ".join(f"{v:.6f}" for v in values) for values in moments)]
        for info in INFO.values()
        for moments in [(info.mean, info.std)]
    ]


@pytest.mark.parametrize("command", ["list", "get", "check"])
def test_commands_are_named(command: str) -> None:
    assert f"`normlib data {command}" in TEXT
