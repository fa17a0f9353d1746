import json
import math
from pathlib import Path

import pytest

from normlib.bench.result import BenchError, Result, less_is_better, more_is_better, table, write

SLOWER = less_is_better("layer", "ms", 3.0, 2.0, "torch.nn", 0.9)
FASTER = more_is_better("training", "images/s", 8000.0, 2000.0, "script", 2.0)
REPORTED = more_is_better("memory", "MB", 1.0, 1.0, "torch.nn")


def test_ratio_is_above_one_when_ours_is_better_whatever_the_unit() -> None:
    assert SLOWER.ratio == pytest.approx(2 / 3)
    assert FASTER.ratio == pytest.approx(4)


def test_reached() -> None:
    assert (SLOWER.reached, FASTER.reached, REPORTED.reached) == (False, True, None)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("compare", [less_is_better, more_is_better])
def test_numbers_that_are_none_are_refused(compare, bad: float) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BenchError, match=r"name: .* is .*, not a positive number"):
        compare("name", "ms", bad, 1.0, "peer")
    with pytest.raises(BenchError, match=r"name: .* is .*, not a positive number"):
        compare("name", "ms", 1.0, bad, "peer")


def test_written_file_has_exactly_the_stated_fields(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.json"
    write([SLOWER, REPORTED], file)
    found = json.loads(file.read_text())
    fields = {"name", "unit", "ours", "peer", "peer_name", "ratio", "goal"}
    assert [set(one) for one in found] == [fields, fields]
    assert Result(**found[0]) == SLOWER
    assert found[1]["goal"] is None
    assert [f.name for f in file.parent.iterdir()] == ["bench.json"]


def test_table_lines_up_and_names_what_is_missed() -> None:
    head, rule, *rows = table([SLOWER, FASTER, REPORTED]).splitlines()
    assert head.split()[:3] == ["benchmark", "ours", "peer"]
    assert set(rule) == {"-", " "}
    assert ["MISSED" in row for row in rows] == [True, False, False]
    assert ["reached" in row for row in rows] == [False, True, False]
    assert all(row.index("script") == head.index("peer's") for row in rows if "script" in row)
