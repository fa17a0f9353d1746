"""``environment.yml`` says the same as ``uv.lock`` and resolves by itself."""

import importlib.metadata
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tools.environment import PLATFORMS, ROOT, render, resolve

LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
WRITTEN = (ROOT / "environment.yml").read_text(encoding="utf-8")


def requirements(platform: str) -> dict[str, Requirement]:
    """Return the pip section as pip on ``platform`` reads it, without the project itself."""
    *_, section = yaml.safe_load(WRITTEN)["dependencies"]
    *lines, last = section["pip"]
    assert last == "-e ."
    parsed = [Requirement(line) for line in lines]
    kept = [r for r in parsed if r.marker is None or r.marker.evaluate(PLATFORMS[platform])]
    assert len({r.name for r in kept}) == len(kept), "one package, two versions"
    return {r.name: r for r in kept}


def test_written_file_is_made_from_this_lock() -> None:
    assert render(LOCK) == WRITTEN, "uv.lock changed: run `python -m tools.environment`"


def test_conda_gives_only_python_and_pip() -> None:
    *conda, _ = yaml.safe_load(WRITTEN)["dependencies"]
    assert conda == ["python=3.11", "pip"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_requirement_is_pinned(platform: str) -> None:
    for requirement in requirements(platform).values():
        assert [s.operator for s in requirement.specifier] == ["=="], requirement


def test_direct_dependencies_are_all_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *groups["book"], *groups["test"]]
    pins = requirements("linux")
    for line in wanted:
        direct = Requirement(line)
        (pin,) = pins[direct.name].specifier
        assert direct.specifier.contains(pin.version), f"{direct} against {pin}"


def test_no_tensorflow() -> None:
    assert not {"tensorflow", "keras"} & set(requirements("linux"))


def test_pins_satisfy_each_other() -> None:
    """Each installed package whose version is the pinned one accepts the other pins.

    It covers the pair that breaks in practice: torchvision names the one torch it was built for.
    """
    pins = requirements("linux")
    checked = set()
    for name, pin in pins.items():
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if not pin.specifier.contains(installed.version):
            continue  # another Python than conda's: the lock gives it another version
        for line in installed.requires or []:
            needs = Requirement(line)
            if needs.marker and not needs.marker.evaluate({**PLATFORMS["linux"], "extra": ""}):
                continue
            (theirs,) = pins[needs.name.lower().replace("_", "-").replace(".", "-")].specifier
            assert needs.specifier.contains(theirs.version), f"{name}: {needs}, pinned {theirs}"
            checked.add((name, needs.name))
    assert ("torchvision", "torch") in checked


def test_a_version_that_differs_between_platforms_gets_a_marker() -> None:
    registry = {"registry": "x"}
    edge: dict[str, Any] = {"name": "a", "version": "1", "marker": "sys_platform == 'linux'"}
    other = {**edge, "version": "2", "marker": "sys_platform == 'darwin'"}
    lock = {
        "package": [
            {
                "name": "project",
                "source": {"editable": "."},
                "dependencies": [edge, other],
                "dev-dependencies": {"book": [], "test": [{"name": "b", "extra": ["c"]}]},
            },
            {"name": "a", "version": "1", "source": registry},
            {"name": "a", "version": "2", "source": registry},
            {
                "name": "b",
                "version": "3",
                "source": registry,
                "optional-dependencies": {"c": [{"name": "d"}], "unused": [{"name": "e"}]},
            },
            {"name": "d", "version": "4", "source": registry},
            {"name": "e", "version": "5", "source": registry},
        ]
    }
    assert resolve(lock, PLATFORMS["linux"]) == {"a": "1", "b": "3", "d": "4"}
    assert "\"a==1; sys_platform == 'linux'\"" in render(lock)
    assert "\"a==2; sys_platform == 'darwin'\"" in render(lock)
    assert '"b==3"' in render(lock)
