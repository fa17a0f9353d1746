"""A record that was computed elsewhere, saved here."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from normlib import atomic
from normlib.datasets import INFO
from normlib.errors import NormlibError
from normlib.records import Experiment, Store
from normlib.records.adopt import adopt


def gather(
    run: Experiment, files: Mapping[str, bytes], store: Store, probes: Sequence[str] = ()
) -> tuple[str, dict[str, Any]]:
    """Save the record of ``run``, given by the content of its ``files``, in ``store``.

    Returns how the run ended, as an event of `normlib.sweep.worker`: "saved", "present" if
    ``store`` has had a record of it with the arrays of ``probes`` (then nothing is saved), or
    "failed".
    """
    if store.find(run, probes) is not None:
        return "present", {}
    try:
        with tempfile.TemporaryDirectory(prefix="normlib-cluster-") as folder:
            for name, content in files.items():
                atomic.write(Path(folder, name), content)
            done = adopt(Path(folder), store, INFO, move=False)
    except NormlibError as error:
        return "failed", {"error": str(error), "tail": ()}
    record = store.find(run, probes)
    if record is None or not done.paths:
        reasons = [problem.reason for problem in done.problems] or ["it is of another run"]
        words = f"its worker sent no valid record: {reasons[0]}; run it again"
        return "failed", {"error": words, "tail": ()}
    path = str(done.paths[0])
    return "saved", {"path": path, "status": record.status, "seconds": record.seconds}
