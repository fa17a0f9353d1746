"""Write ``environment.yml``, for conda users, from ``uv.lock``.

    python -m tools.environment

Python comes from conda and every package, the indirect ones too, from the package index at the
version of the lock: conda's own builds of torch and torchvision do not match those versions, and
a theme or notebook renderer of another version breaks the book. TensorFlow is left out, since
only the tests' peers and the benchmarks need it.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"  # the version the tools were tried out with
GROUPS = ("book", "test")
PLATFORMS = {
    platform: {
        "sys_platform": platform,
        "platform_system": system,
        "platform_machine": machine,
        "os_name": "posix",
        "python_version": PYTHON,
        "python_full_version": f"{PYTHON}.14",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for platform, system, machine in (("linux", "Linux", "x86_64"), ("darwin", "Darwin", "arm64"))
}

HEAD = f"""\
# Made from uv.lock by `python -m tools.environment`; a test holds the two together.
#
#     conda env create -f environment.yml
#     conda activate normlib
#     normlib book build
name: normlib
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={PYTHON}
  - pip
  - pip:
"""


def resolve(lock: dict[str, Any], environment: dict[str, str]) -> dict[str, str]:
    """Return name and version of every package that the lock installs in ``environment``."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in lock["package"]:
        packages.setdefault(package["name"], []).append(package)

    def applies(edge: dict[str, Any]) -> bool:
        return "marker" not in edge or Marker(edge["marker"]).evaluate(environment)

    def edges(package: dict[str, Any], extras: list[str]) -> Iterator[dict[str, Any]]:
        yield from package.get("dependencies", [])
        for extra in extras:
            yield from package.get("optional-dependencies", {}).get(extra, [])

    (project,) = (p for p in lock["package"] if p["source"] == {"editable": "."})
    waiting = [*project["dependencies"]]
    for group in GROUPS:
        waiting += project["dev-dependencies"][group]
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        edge = waiting.pop()
        name, extras = edge["name"], edge.get("extra", [])
        if not applies(edge) or (name, tuple(extras)) in seen:
            continue
        seen.add((name, tuple(extras)))
        # An edge names the version only where the lock holds several.
        (package,) = (
            p for p in packages[name] if p["version"] == edge.get("version", p["version"])
        )
        found[name] = package["version"]
        waiting += edges(package, extras)
    return found


def render(lock: dict[str, Any]) -> str:
    """Return the text of ``environment.yml`` for the parsed lock."""
    lines = set()
    per_platform = {
        platform: resolve(lock, environment) for platform, environment in PLATFORMS.items()
    }
    for platform, found in per_platform.items():
        for name, version in found.items():
            everywhere = all(other.get(name) == version for other in per_platform.values())
            marker = "" if everywhere else f"; sys_platform == '{platform}'"
            lines.add(f"{name}=={version}{marker}")
    return HEAD + "".join(f'      - "{line}"\n' for line in sorted(lines)) + '      - "-e ."\n'


def main() -> None:
    """Write ``environment.yml`` beside the lock."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    (ROOT / "environment.yml").write_text(render(lock), encoding="utf-8")


if __name__ == "__main__":
    main()
