"""The order of runs: setting after setting, seed after seed, a worker's framework first."""

from normlib.records import Experiment
from normlib.sweep.ordering import balanced
from normlib.sweep.queueing import Waiting


def taken(waiting: Waiting, framework: str | None = None) -> list[Experiment]:
    return [run for _ in range(len(waiting)) if (run := waiting.next(framework)) is not None]


def runs(*settings: dict[str, object]) -> list[Experiment]:
    return [
        Experiment.from_dict({"norm": norm, "seed": seed, **fields})
        for fields in settings
        for norm in ("batch", "none")
        for seed in range(2)
    ]


def test_one_setting_is_done_before_the_next() -> None:
    """As they were given, not by size: whoever writes the plan says what comes first."""
    given = runs({"batch_size": 50}, {"batch_size": 20})
    order = [(run.batch_size, run.seed, run.norm) for run in taken(Waiting(given))]
    expected = [
        (size, seed, norm) for size in (50, 20) for seed in (0, 1) for norm in ("batch", "none")
    ]
    assert order == expected
    assert [(r.batch_size, r.seed, r.norm) for r in balanced([*given, *given])] == expected


def test_of_one_setting_and_seed_the_workers_framework_comes_first() -> None:
    given = [Experiment(norm=n, seed=s) for s in (0, 1) for n in ("none", "tensorflow:none")]
    order = [(run.seed, run.norm) for run in taken(Waiting(given), "tensorflow")]
    assert order == [(0, "tensorflow:none"), (0, "none"), (1, "tensorflow:none"), (1, "none")]


def test_a_run_put_back_keeps_its_place() -> None:
    given = runs({"batch_size": 50}, {"batch_size": 20})
    waiting = Waiting(given)
    first = waiting.next(None)
    assert first is not None
    waiting.again(first, after=60)
    assert waiting.next(None) == given[2]  # the other norm of the same seed
    waiting.again(given[2], after=0)
    assert waiting.next(None) == given[2]
    assert len(waiting) == len(given) - 1
