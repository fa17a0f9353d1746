import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normlib.bench import timing


def test_interleaved_runs_every_candidate_once_a_round() -> None:
    calls: list[str] = []
    candidates = {name: lambda name=name: calls.append(name) for name in "abc"}  # type: ignore[misc]
    taken = timing.interleaved(candidates, rounds=40, seed=1)
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({one[0] for one in rounds}) == 3, "one candidate always goes first"
    assert {name: len(times) for name, times in taken.items()} == {"a": 40, "b": 40, "c": 40}
    assert all(t >= 0 for times in taken.values() for t in times)


def test_times_makes_the_calls() -> None:
    calls: list[int] = []
    timing.times(7, lambda: calls.append(1))()
    assert len(calls) == 7


def test_calls_for_is_at_least_one() -> None:
    assert timing.calls_for(lambda: None, 0.0) == 1


def test_geometric_mean_treats_a_ratio_and_its_inverse_alike() -> None:
    assert timing.geometric_mean([2.0, 0.5]) == pytest.approx(1.0)


def test_joint_rate_of_one_process_is_its_rate() -> None:
    assert timing.joint_rate([[10.0, 10.5, 11.0, 11.5, 12.0]], 100) == pytest.approx(200)


def test_joint_rate_leaves_out_the_time_when_one_works_alone() -> None:
    # The second starts at 5 and slows the first from 1 to 2 seconds a step.
    first = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0, 11.0]
    second = [5.0, 7.0, 9.0, 11.0, 12.0, 13.0]
    assert timing.joint_rate([first, second], 1) == pytest.approx(1.0)


def test_joint_rate_counts_a_step_on_the_border_in_part() -> None:
    assert timing.joint_rate([[0.0, 2.0, 4.0], [1.0, 2.0, 3.0]], 1) == pytest.approx(1.5)


def test_joint_rate_refuses_processes_that_never_met() -> None:
    with pytest.raises(ValueError, match="use more steps"):
        timing.joint_rate([[0.0, 1.0], [1.0, 2.0]], 1)


@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=30), st.integers(1, 4), st.floats(0, 1e6))
def test_joint_rate_of_equal_processes_adds_up(
    steps: list[float], processes: int, start: float
) -> None:
    stamps = list(itertools.accumulate(steps, initial=start))
    alone = len(steps) / (stamps[-1] - stamps[0])
    assert math.isclose(timing.joint_rate([stamps] * processes, 1), processes * alone, rel_tol=1e-6)
