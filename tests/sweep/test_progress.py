import io

import pytest

from normlib.records import Experiment
from normlib.sweep.cost import Costs
from normlib.sweep.progress import Progress

RUNS = [Experiment(seed=seed, epochs=4, train_size=1000) for seed in range(2)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_lines_where_there_is_no_terminal():
    out = io.StringIO()
    progress = Progress(Costs(), out)
    progress.start(RUNS)
    progress.reached(RUNS[0], 4)
    progress.ended(RUNS[0], "finished")
    progress.close()
    assert out.getvalue().startswith("[1/2] none-epochs4-trainsize1000-seed00: finished, ")
    assert out.getvalue().endswith(" left\n")
    assert "\r" not in out.getvalue()


def test_bar_counts_what_is_done_now_and_fills_up():
    out = Terminal()
    progress = Progress(Costs(), out)
    progress.start(RUNS)
    bar = progress._bar
    per_epoch = Costs().epoch(RUNS[0])
    assert bar.total == pytest.approx(8 * per_epoch, abs=1e-3)
    progress.reached(RUNS[0], 0.5)
    assert bar.n == pytest.approx(0.5 * per_epoch, abs=1e-3)
    # The second run comes with two epochs from its checkpoint: not work of this sweep.
    progress.reached(RUNS[1], 2.5)
    assert bar.total == pytest.approx(6 * per_epoch, abs=1e-3)
    assert bar.n == pytest.approx(1.0 * per_epoch, abs=1e-3)
    for run in RUNS:
        progress.ended(run, "finished")
    assert bar.n == pytest.approx(bar.total, abs=1e-3)
    progress.close()
    assert "2/2 runs" in out.getvalue()
    assert "<" in out.getvalue(), "the time left is shown"


def test_progress_never_goes_back():
    progress = Progress(Costs(), io.StringIO())
    progress.start(RUNS)
    progress.reached(RUNS[0], 2)
    done = progress._done
    progress.reached(RUNS[0], 1.5)
    assert progress._done == done
