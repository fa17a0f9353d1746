"""What the README and its neighbours tell a person to type works."""

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def commands(text: str, program: str) -> list[list[str]]:
    """Return the command lines of the shell blocks that call ``program``, without comments."""
    lines = "\n".join(blocks(text, "sh")).splitlines()
    split = (shlex.split(line, comments=True) for line in lines)
    return [words for words in split if words and Path(words[0]).name == program]


def first_line(block: str) -> str:
    return block.strip().splitlines()[-1]


@pytest.mark.parametrize("block", blocks(README, "python"), ids=first_line)
def test_python_block_runs(block: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr


def test_there_are_python_blocks() -> None:
    assert len(blocks(README, "python")) >= 5


@pytest.mark.parametrize("words", commands(README, "normlib"), ids=shlex.join)
def test_normlib_command_exists(words: list[str]) -> None:
    """Every sub-command and every option that the README uses is in the command's help."""
    names = [word for word in words[1:3] if re.fullmatch("[a-z]+", word)]
    helps = []
    for depth in range(1, len(names) + 1):
        command = [sys.executable, "-m", "normlib.cli", *names[:depth], "--help"]
        ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **WIDE})
        if ran.returncode:
            assert depth > 1, ran.stderr  # the second word may be an argument
            break
        helps.append(ran.stdout)
    for option in (word for word in words if word.startswith("-")):
        assert re.search(rf"(?<!\w){re.escape(option)}\b", helps[-1]), option


WIDE = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}


@pytest.mark.parametrize("words", commands(README + CONTRIBUTING, "make"), ids=shlex.join)
def test_make_verb_is_in_the_help(words: list[str]) -> None:
    ran = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    assert re.search(rf"^make {words[1]} ", ran.stdout, flags=re.MULTILINE)


def test_help_shows_the_verbs_and_is_the_default() -> None:
    ran = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    verbs = [line.split()[1] for line in ran.stdout.splitlines()]
    assert verbs == ["help", "book", "test", "bench", "clean"]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    file = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (file.parent / target).exists(), target


def test_named_files_exist() -> None:
    for name in re.findall(r"`((?:normlib|tests|tools|\.ci|data)/[\w./]+)`", README + CONTRIBUTING):
        if name not in ("data/local/runs", "data/runs"):  # made by a sweep
            assert (ROOT / name).exists(), name


def test_citation_is_valid() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    required = {"cff-version", "message", "title", "authors"}
    optional = {"type", "version", "license", "abstract", "keywords", "date-released", "url"}
    assert required <= set(citation) <= required | optional
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "MIT"
    assert all(set(author) == {"name"} for author in citation["authors"])


def test_version_is_one() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'^version = "(.*)"$', project, flags=re.MULTILINE)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert version in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_licence_is_mit_and_not_of_the_future() -> None:
    first, _, holder, *_ = (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()
    assert first == "MIT License"
    year = int(re.findall(r"\d{4}", holder)[0])
    assert year <= datetime.now(UTC).year


def test_contributing_shows_the_floors_that_the_test_proves() -> None:
    from tests.test_floors import FLOORS

    rows = re.findall(r"^\| (\d+) \| (.+?) \|", CONTRIBUTING, flags=re.MULTILINE)
    shown = {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert shown == {name: max(floor, 0) for name, floor in FLOORS.items()}


@pytest.mark.parametrize("name", [".pre-commit-config.yaml", ".github/workflows/ci.yml"])
def test_yaml_reads(name: str) -> None:
    assert yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_workflow_runs_the_two_commands() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    ran = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert ran[-3:] == [".ci/run", "make book", None]
    assert os.access(ROOT / ".ci/run", os.X_OK)
