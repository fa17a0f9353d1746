"""What a Dask worker does for a cluster sweep: compute one run in a process of its own.

A unit may be computed again, here or elsewhere, at any time: the run's lock keeps two processes of
one machine apart, a checkpoint lets the second go on, and a record that was made here but never
reached the sweep waits here for it.
"""

import json
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from normlib import paths
from normlib.errors import NormlibError
from normlib.records import Experiment, Store, fingerprint
from normlib.sweep import checkpoints, provision
from normlib.sweep.pool import Kind, Member, Pool
from normlib.sweep.process import framework_of

Tell = Callable[..., None]

_PAUSE = 2.0  # seconds between two reports of steps, all of which pass through the scheduler
_pool = Pool()
_stopped: set[str] = set()


def compute(message: str) -> dict[str, Any]:
    """Compute the run that ``message`` (JSON) describes and return how it ended, as an event.

    The event is one of `normlib.sweep.worker`'s, with the content of the record's files by name,
    or ``exit`` (the process died), ``lost`` (this Dask worker is closing) or ``unfit`` (this
    worker cannot compute runs ``of`` this data set or source).
    """
    from distributed import get_worker

    worker, job = get_worker(), json.loads(message)

    def tell(event: str, **values: Any) -> None:
        worker.log_event(job["topic"], {"token": job["token"], "event": event, **values})

    tell("begun")
    if fingerprint.source_sha256(fingerprint.PACKAGE) != job["code"]:
        words = "its normlib differs from that of the sweep; bring both to the same commit"
        return {"event": "unfit", "of": job["code"], "error": words}
    experiment = Experiment.from_dict(job["experiment"])
    try:
        provision.ensure(experiment.dataset, lambda: tell("fetching"))
    except NormlibError as error:
        return {"event": "unfit", "of": experiment.dataset, "error": str(error)}
    return _train(experiment, job, tell, lambda: worker.status.name in _CLOSING)


_CLOSING = ("closing", "closed", "failed")


def stop(token: str) -> None:
    """Have the unit with this ``token`` stop at the end of its epoch."""
    _stopped.add(token)


def tidy(keys: list[str]) -> None:
    """Remove, soon, what is kept here of runs whose records have reached the sweep's store."""
    # The caller is the worker's event loop, which must not wait for processes to end.
    threading.Thread(target=_tidy, args=[keys], daemon=True).start()


def _tidy(keys: list[str]) -> None:
    for key in keys:
        for folder in _kept().glob(f"{key}-*"):
            shutil.rmtree(folder, ignore_errors=True)
    checkpoints.sweep_out(checkpoints.folder(), keys)
    _pool.empty()


def _kept() -> Path:
    """Return the folder of records on their way to the sweep."""
    return paths.local() / "cluster"


def _train(
    experiment: Experiment, job: dict[str, Any], tell: Tell, leaving: Callable[[], bool]
) -> dict[str, Any]:
    token, device, threads = job["token"], job["device"], job["threads"]
    if token in _stopped:
        return {"event": "interrupted"}
    folder = (_kept() / f"{experiment.key}-{device}").resolve()
    if any(one.record.code["sha256"] != job["code"] for one in Store([], folder).stored()):
        shutil.rmtree(folder, ignore_errors=True)  # of a sweep with another source
    member = _pool.take(
        Kind(framework_of(experiment), threads, job["trainer"], job["code"], device)
    )
    reusable = False
    try:
        member.process.begin(
            experiment,
            folders=[str(folder)],
            write_to=str(folder),
            checkpoints=str(checkpoints.folder().resolve()),
            device=device,
            threads=threads,
            probes=job["probes"],
        )
        ended = _follow(member, token, tell, leaving)
        # A process that was told to stop would stop its next run, too.
        reusable = ended["event"] not in ("exit", "lost") and token not in _stopped
    finally:
        if reusable:
            _pool.rest(member)
        else:
            member.process.close(wait=0.0 if leaving() else 5.0)
    if ended["event"] in ("saved", "present"):
        ended["files"] = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
    elif ended["event"] == "exit":
        ended["tail"] = member.process.tail
    return ended


def _follow(member: Member, token: str, tell: Tell, leaving: Callable[[], bool]) -> dict[str, Any]:
    """Pass on the progress of a run until it ends, and the word to stop."""
    told, asked = 0.0, False
    while not leaving():
        if token in _stopped and not asked:
            asked = True
            member.process.send("stop")
        try:
            event = member.events.get(timeout=0.2)
        except queue.Empty:
            continue
        if event.kind == "step":
            if time.monotonic() - told > _PAUSE:
                told = time.monotonic()
                tell("step", **event.values)
        elif event.kind == "epoch":
            tell("epoch", epoch=event.values["epoch"])
        elif event.kind == "resumed":
            tell("resumed", **event.values)
        elif event.kind != "ready":
            return {"event": event.kind, **event.values}
    return {"event": "lost"}
