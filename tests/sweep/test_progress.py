import io
from types import SimpleNamespace

import pytest

from normlib.engine import Interrupted, train
from normlib.records import Experiment, Store
from normlib.sweep import checkpoints, replicas
from normlib.sweep.cost import Costs
from normlib.sweep.loop import Sweep
from normlib.sweep.place import Event
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
    progress.resumed(RUNS[1], 2)
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


class Quiet(Sweep):
    """Computes nothing: its events come from the test."""

    def fill(self):
        pass


def test_epochs_of_a_checkpoint_are_not_counted_as_done_now(project):
    """Though what is heard first of a resumed run is a step within an epoch."""
    run = RUNS[0].replace(epochs=10)
    sweep = Quiet([run], Store.default(), Costs())
    sweep.progress.start([run])
    place = SimpleNamespace(experiment=run)
    for kind, values in (
        ("resumed", {"epochs": 8, "ignored": ""}),
        ("step", {"step": 1, "steps": 2}),
        ("epoch", {"epoch": 9}),
    ):
        sweep.handle(Event(place, kind, values))
    per_epoch = Costs().epoch(run)
    assert sweep.progress._done == pytest.approx(per_epoch)
    assert sweep.progress._todo == pytest.approx(2 * per_epoch)


def test_an_ignored_checkpoint_is_told(project, capsys):
    run = Experiment(dataset="synthetic-gray", width=8, hidden=16, epochs=2, train_size=100)
    path = checkpoints.path_of(run.key, checkpoints.folder())
    with pytest.raises(Interrupted):
        train(run, threads=2, checkpoint=path, should_stop=lambda: True)
    replicas.compute([run], Store.default(), replicas=1, device="cpu", threads=1)
    said = capsys.readouterr().err
    assert f"{run.name}: {path.name} is ignored" in said
    assert "threads 2 then, 1 now; the run starts over" in said
