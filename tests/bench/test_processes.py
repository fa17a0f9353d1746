import os
import sys
import time

import pytest

from normlib.bench import processes
from normlib.bench.result import BenchError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_answers_come_in_the_order_of_the_commands() -> None:
    slow = python("import time; time.sleep(0.3); print('chatter'); print('[1]')")
    assert processes.run([slow, python("print(2)")], os.environ) == [[1], 2]


def test_much_output_blocks_nobody() -> None:
    loud = python("import sys; sys.stderr.write('x' * 10**6); print('y' * 10**6); print(3)")
    assert processes.run([loud, loud], os.environ) == [3, 3]


def test_the_environment_is_the_given_one() -> None:
    code = "import json, os; print(json.dumps(os.environ.get('NORMLIB_TRIAL')))"
    assert processes.run([python(code)], {**os.environ, "NORMLIB_TRIAL": "on"}) == ["on"]


def test_a_failure_is_told_by_its_last_line_and_stops_the_others() -> None:
    begin = time.monotonic()
    with pytest.raises(BenchError, match="failed with code 1: ValueError: told"):
        processes.run(
            [python("raise ValueError('told')"), python("import time; time.sleep(60)")], os.environ
        )
    assert time.monotonic() - begin < 30, "the other process was waited for"


def test_a_process_that_hangs_is_stopped() -> None:
    with pytest.raises(BenchError, match=r"took longer than 0\.2 s"):
        processes.run([python("import time; time.sleep(60)")], os.environ, timeout=0.2)


@pytest.mark.parametrize("code", ["pass", "print('no JSON')"])
def test_no_answer_is_an_error(code: str) -> None:
    with pytest.raises(BenchError, match="printed no JSON"):
        processes.run([python(code)], os.environ)


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("a\nValueError: b\n", "ValueError: b"),
        ("torch.a.Unsupported: b\n\nSet THIS for more", "torch.a.Unsupported: b"),
        ("killed", "killed"),
        ("", "nothing on stderr"),
    ],
)
def test_the_line_that_names_the_error_is_told(stderr: str, line: str) -> None:
    assert processes.told(stderr) == line


def test_those_that_meet_wait_for_the_slowest_to_get_warm() -> None:
    code = (
        "import json, sys, time; time.sleep({}); print('chatter'); print('warm', flush=True);"
        "sys.stdin.readline(); print(json.dumps(time.monotonic()))"
    )
    begin = time.monotonic()
    moments = processes.run([python(code.format(s)) for s in (0, 1)], os.environ, meet=True)
    assert min(moments) >= begin + 1, "one did not wait"


def test_one_that_fails_before_it_is_warm_keeps_nobody_waiting() -> None:
    waiting = python("print('warm', flush=True); input(); print(1)")
    with pytest.raises(BenchError, match="KeyError"):
        processes.run([waiting, python("{}['absent']")], os.environ, meet=True, timeout=60)
