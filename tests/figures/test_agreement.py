"""What the figure of every method draws."""

from __future__ import annotations

import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from normlib.figures import families
from normlib.figures.agreement import agreement

FAMILY = {"layer": "sample", "batch": "batch", "none": "none", "power": "batch"}
ROWS = [
    ("layer", "numpy", "output", 3e-16, 1e-12, 3e-4, False),
    ("batch", "numpy", "output", 0.0, 1e-12, 0.0, False),
    ("batch", "torch", "d input", 2e-5, 1e-8, 2e3, False),
    ("power", "numpy", "d input", 4e-16, 1e-8, 4e-4, True),
]


def test_a_panel_per_peer_with_marks_for_what_is_stated_and_what_is_out_of_bounds() -> None:
    worst = pd.DataFrame(
        ROWS, columns=["method", "peer", "quantity", "error", "bound", "excess", "stated"]
    )
    figure = agreement(
        worst,
        FAMILY,
        {"numpy": "NumPy", "torch": "torch.nn"},
        {"output": "output", "d input": "d/d input"},
        source="Data: d",
    )
    numpy, torch = figure.axes
    # The families stand together, in the order of drawing; what is not compared has no row.
    assert [label.get_text() for label in numpy.get_yticklabels()] == ["BN", "PowerNorm", "LN"]
    colours = [to_hex(label.get_color()) for label in numpy.get_yticklabels()]
    assert colours == [families.colour(name) for name in ("batch", "batch", "sample")]
    written = [(*t.get_position(), t.get_text()) for t in numpy.texts]
    assert sorted(written) == [(0, 0, "0"), (0, 2, "−16"), (1, 1, "−16")]
    assert [t.get_text() for t in torch.texts] == ["−5"]
    assert len([p for p in torch.patches if isinstance(p, Rectangle)]) == 1
    assert not numpy.patches
    dots = [line for line in numpy.lines if line.get_marker() == "o"]
    assert [(round(d.get_xdata()[0]), round(d.get_ydata()[0])) for d in dots] == [(1, 1)]
    labels = [label.get_text() for label in numpy.get_xticklabels()]
    assert labels == ["output (−12)", "d/d input (−8)"]
    assert torch.get_xticklabels()[0].get_text() == "output"
    assert figure.get_supxlabel() == "Data: d"
