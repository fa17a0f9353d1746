"""Imports point down only, and what draws from records needs no torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import normlib

PACKAGE = Path(__file__).resolve().parent.parent / "normlib"

# The floors of the design; a name may import names of a lower floor and of its own package.
FLOORS = {
    "errors": -1,  # the root of all errors, below everything
    "paths": 0,
    "atomic": 0,
    "locks": 0,
    "columns": 0,
    "precision": 0,
    "kernels": 0,
    "records": 1,
    "datasets": 1,
    "projection": 1,
    "layers": 2,
    "methods": 3,
    "surgery": 4,
    "theory": 4,
    "models": 5,
    "engine": 6,
    "sweep": 7,
    "analysis": 7,
    "claims": 8,
    "figures": 8,
    "book": 9,
    "bench": 9,
    "cli": 10,
}
# `import normlib` is the layers and the catalogue, so it is allowed above them.
FACE = FLOORS["methods"]
TORCH_FREE = ("records", "datasets", "claims", "analysis", "figures")


def dotted(file: Path) -> str:
    """Return the module name of a file of the package."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


# What `from normlib import ...` gives beside packages.
FACES = tuple(normlib.__all__)

# The package's face re-exports from every floor, so it has none.
MODULES = [(dotted(f), f) for f in sorted(PACKAGE.rglob("*.py")) if f != PACKAGE / "__init__.py"]


def imported(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Yield the absolute dotted names that ``source`` imports, those inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                package = package[: len(package) - node.level + 1]
                base = ".".join([*package, *([node.module] if node.module else [])])
            # `from normlib import engine` names the module in the alias.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """Return the imports of ``source`` that do not point down."""
    own = module.split(".")[1]
    found = []
    for name in imported(source, module, is_package):
        package, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if package != "normlib" or target == own:
            continue
        if FLOORS.get(target, FACE if target in ("", *FACES) else 99) >= FLOORS[own]:
            found.append(f"{module} (floor {FLOORS[own]}) imports {name}")
    return found


def test_every_top_level_name_has_a_floor() -> None:
    names = {module.split(".")[1] for module, _ in MODULES}
    assert names <= set(FLOORS), f"give {names - set(FLOORS)} a floor here and in CONTRIBUTING.md"


@pytest.mark.parametrize(("module", "file"), MODULES, ids=[name for name, _ in MODULES])
def test_imports_point_down(module: str, file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    assert violations(source, module, file.name == "__init__.py") == []


@pytest.mark.parametrize(
    "line",
    [
        "import normlib.engine.train",
        "from normlib.sweep import plans",
        "from normlib import engine",
        "from ..engine import train",
        "from .. import engine",
        "def f():\n    from normlib.cli import app",
        "import normlib.unheard_of",
        "from normlib import UnheardOf",
    ],
)
def test_an_upward_import_is_seen(line: str) -> None:
    assert violations(line, "normlib.models.cnn")


@pytest.mark.parametrize("line", ["import normlib", "from normlib import BatchNorm2d"])
def test_the_face_is_above_the_catalogue(line: str) -> None:
    assert violations(line, "normlib.models.cnn") == []
    assert violations(line, "normlib.layers.batch")
    assert violations(line, "normlib.records.store")


@pytest.mark.parametrize(
    "line",
    ["from normlib.methods import catalogue", "from . import mlp", "import torch.nn", "x = 1"],
)
def test_a_downward_import_is_fine(line: str) -> None:
    assert violations(line, "normlib.models.cnn") == []


def test_torchvision_is_imported_inside_functions_only() -> None:
    """It takes seconds; whoever builds no ResNet shall not wait for them, peers apart."""
    for module, file in MODULES:
        if module.startswith("normlib.bench.peers."):
            continue
        body = ast.parse(file.read_text(encoding="utf-8")).body
        at_once = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = imported(ast.unparse(ast.Module(at_once, [])), module, False)
        assert not any(name.startswith("torchvision") for name in names), module


@pytest.mark.parametrize("package", TORCH_FREE)
def test_records_side_needs_no_framework(package: str) -> None:
    names = [n for n, _ in MODULES if n.split(".")[1] == package and not n.endswith("__main__")]
    if not names:
        pytest.skip(f"normlib.{package} is not there yet")
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print([m for m in ('torch', 'torchvision', 'tensorflow', 'keras') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"


def test_import_of_the_package_is_light() -> None:
    code = "import sys, normlib, normlib.cli; print('torch' in sys.modules)"
    if not (PACKAGE / "cli.py").exists():
        pytest.skip("normlib.cli is not there yet")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "False"
