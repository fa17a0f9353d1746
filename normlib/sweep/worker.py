"""One process that trains the runs it is sent: ``python -m normlib.sweep.worker``.

Protocol: one JSON object per line. In: ``{"do": "train", "experiment": {...}, ...}`` and
``{"do": "stop"}``. Out: ``ready`` once, then for each run ``resumed`` (how many ``epochs`` its
checkpoint brings, and why one is ``ignored``), ``step`` and ``epoch`` any number of times and one
of ``saved``, ``present`` (recorded meanwhile), ``busy`` (another sweep computes it),
``interrupted`` (stopped, its checkpoint kept) or ``failed`` (``error``, and the traceback as
``tail`` unless the message says it all).
"""

import argparse
import gc
import importlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from normlib import locks
from normlib.engine.interrupted import Interrupted
from normlib.errors import NormlibError
from normlib.records import Experiment, Store, fingerprint
from normlib.sweep import checkpoints

Send = Callable[..., None]


def claim_stdout() -> TextIO:
    """Return the real standard output, and send what libraries print there to stderr.

    By file descriptor, so that chatter of C++ libraries cannot break the protocol either.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return out


def listen(inbox: "queue.Queue[dict[str, Any]]", stop: threading.Event) -> None:
    """Pass on what arrives on stdin; leave at once when the sweep at the other end is gone."""
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "stop":
            stop.set()
        else:
            inbox.put(message)
    # The kernel closes the pipe of a killed sweep: nobody is left to compute for.
    os._exit(0)


def train(job: dict[str, Any], trainer: str, stop: threading.Event, send: Send) -> None:
    """Compute one run under its lock, save its record, and only then drop its checkpoint."""
    experiment = Experiment.from_dict(job["experiment"])
    store = Store([Path(folder) for folder in job["folders"]], Path(job["write_to"]))
    waiting = Path(job["checkpoints"])
    with locks.holding(checkpoints.lock_of(experiment.key, waiting)) as held:
        if not held:
            send("busy")
            return
        probes = job["probes"]
        if store.find(experiment, probes) is not None:
            send("present")
            return
        if job["device"] == "cpu":  # before torch is imported, which would open the GPU for nothing
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        last = 0.0

        def on_step(step: int, steps: int) -> None:
            nonlocal last
            if time.monotonic() - last > 0.5:
                last = time.monotonic()
                send("step", step=step, steps=steps)

        record = function(trainer)(
            experiment,
            device=job["device"],
            threads=job["threads"],
            checkpoint=checkpoints.path_of(experiment.key, waiting),
            on_begin=lambda epochs, ignored: send("resumed", epochs=epochs, ignored=ignored),
            on_epoch=lambda epoch, values: send("epoch", epoch=epoch, values=values),
            on_step=on_step,
            should_stop=stop.is_set,
            **({"probes": probes} if probes else {}),
        )
        path = store.save(record)
        checkpoints.remove(experiment.key, waiting)
        send("saved", path=str(path), status=record.status, seconds=record.seconds)


def function(spec: str) -> Callable[..., Any]:
    """Return the function called ``module:name``; importing it loads the framework."""
    module, _, name = spec.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", required=True, metavar="MODULE:FUNCTION")
    trainer = parser.parse_args().trainer
    out = claim_stdout()
    fingerprint.code_state()  # now, before anybody edits the source that is about to run
    stop = threading.Event()
    inbox: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=listen, args=(inbox, stop), daemon=True).start()

    def send(event: str, **values: Any) -> None:
        out.write(json.dumps({"event": event, **values}) + "\n")

    send("ready")
    while True:
        job = inbox.get()
        try:
            train(job, trainer, stop, send)
        except Interrupted:
            send("interrupted")
        except NormlibError as error:
            send("failed", error=str(error), tail=[])
        except Exception as error:
            # In the message, not on stderr: two pipes have no common order.
            words = traceback.format_exc().splitlines()
            send("failed", error=f"{type(error).__name__}: {error}", tail=words)
        gc.collect()  # a network held by its own circles would lie beside the next run's


if __name__ == "__main__":
    main()
