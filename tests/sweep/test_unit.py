"""What a Dask worker hands to its processes, without Dask."""

import pytest

from normlib.sweep import PLANS, unit

RUN = PLANS["smoke"].experiments[0]


class TakenError(Exception):
    """Ends a unit where it would start a process."""


def test_a_process_that_hid_the_gpu_is_not_taken_for_a_run_on_it(project, monkeypatch):
    kinds = []

    def take(kind):
        kinds.append(kind)
        raise TakenError

    monkeypatch.setattr(unit._pool, "take", take)
    for device in ("cpu", "cuda"):
        job = {"token": "t", "device": device, "threads": 1, "trainer": None, "code": "0"}
        with pytest.raises(TakenError):
            unit._train(RUN, {**job, "probes": []}, lambda *_, **__: None, lambda: False)
    assert kinds[0] != kinds[1]
