"""``python -m tests.layers.methods [--write]``: every method beside its NumPy formula, as a table.

With ``--write`` the comparisons are stored in ``data/parity``, where the book reads them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from normlib.analysis.parity.formulas import save
from normlib.analysis.parity.stored import folder
from normlib.records import fingerprint
from tests.layers.methods.every import comparisons
from tests.layers.methods.worst import table


def main(arguments: Sequence[str], where: Path | None = None) -> int:
    """Print, and write if that is wanted and all are within bounds; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.layers.methods", description=__doc__)
    parser.add_argument("--write", action="store_true", help="store them in data/parity")
    write = parser.parse_args(arguments).write
    torch.set_num_threads(1)
    found = comparisons()
    print(table(found))
    if not all(one.within for one in found):
        return 1
    if write:
        versions = {"torch": torch.__version__.split("+")[0], "numpy": np.__version__}
        save(found, fingerprint.environment(versions, "cpu", 1, "eager"), where or folder())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
