"""What a worker needs of memory for the largest network that a CPU records."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from normlib.sweep.process import surroundings

CHECKOUT = Path(__file__).resolve().parents[2]
MOST = 1.5 * 2**30


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_with_resnet50_stays_below_its_bound_and_copies_no_images(tmp_path: Path) -> None:
    # The first may compile loops, once on a machine; and huge pages, where the system has some to
    # give, round up what either takes.
    found = [measured(tmp_path / name) for name in ("first", "second")]
    assert 2**28 < min(one["peak"] for one in found) < MOST
    assert not any(one["copied"] for one in found)


def measured(folder: Path) -> dict[str, int]:
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep.memory", str(folder)],
        env=surroundings(threads=1),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr
    numbers: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return numbers
