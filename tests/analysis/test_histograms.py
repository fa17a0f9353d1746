"""Histograms of a record's arrays against the values they were made of."""

import numpy as np
import pytest
from scipy import stats

from normlib.analysis import distributions, histograms
from normlib.analysis.early_updates import (
    QUANTITIES,
    pooled,
    quantities,
    scales,
    spreads,
    with_quantities,
)
from normlib.analysis.histograms import Histogram, Place, longest, probed
from normlib.analysis.outcome import QUANTITIES as KNOWN
from normlib.analysis.tables import runs as tidy
from normlib.claims import CLAIMS, verdicts
from normlib.claims.verdicts import SUPPORTED, UNDECIDED
from normlib.engine.probes import histograms as probe
from normlib.engine.probes.bins import binned
from normlib.records import Store
from tests.analysis.probed import RUN, even_scales, fake_probed, like_the_source, widths

HERE = ("E7", "E8", "E11", "E17")


def test_places_are_in_the_probes_order():
    assert histograms.PERIODS == probe.PERIODS
    assert tuple(histograms.LAYERS) == tuple(probe.LAYERS)
    assert histograms.KINDS == probe.KINDS


def histogram(values):
    counted = binned(np.asarray(values, np.float32))
    occupied = np.flatnonzero(counted)
    return Histogram(occupied.astype(np.uint16), counted[occupied])


@pytest.fixture
def read(tmp_path):
    """Save records and read back what was measured in them."""
    store = Store([], tmp_path)

    def run(*records):
        for one in records:
            store.save(one)
        return probed(store.scan()[0], store)

    return run


@pytest.fixture
def draws():
    chance = np.random.default_rng(1)
    return {
        "normal": chance.normal(0, 1e-4, 20_000),
        "wider": chance.normal(0, 2e-4, 20_000),
        "shifted": chance.normal(1e-4, 1e-4, 20_000),
        "heavy": 1e-4 * chance.standard_t(2, 20_000),
        "even": chance.uniform(-3e-4, 3e-4, 20_000),
        "far off": chance.lognormal(-20, 2, 20_000),
    }


@pytest.mark.parametrize("name", ["normal", "shifted", "heavy", "even", "far off"])
def test_a_histogram_gives_the_answers_of_its_values(draws, name):
    """To within a percent: the margins of the claims are 25 and 50."""
    found = histogram(draws[name])
    assert found.spread == pytest.approx(distributions.spread(draws[name]), rel=0.01)
    for other in draws.values():
        expected = distributions.distance(draws[name], other)
        assert found.distance(histogram(other)) == pytest.approx(expected, abs=1.0)


def test_shape_is_what_is_left_of_place_and_width(draws):
    one = histogram(draws["normal"])
    for name in ("wider", "shifted"):
        assert one.distance(histogram(draws[name]), shape=True) < 3
    assert one.distance(histogram(draws["even"]), shape=True) > 10
    assert one.distance(histogram(draws["wider"])) == pytest.approx(100 / 1.5, abs=2)


def test_density_integrates_to_the_share_within(draws):
    edges = np.linspace(-3e-4, 3e-4, 61)
    density = histogram(draws["normal"]).density(edges)
    within = (np.abs(draws["normal"]) < 3e-4).mean()
    assert (density * np.diff(edges)).sum() == pytest.approx(within, abs=1e-3)
    expected = stats.norm.pdf((edges[:-1] + edges[1:]) / 2, scale=1e-4)
    np.testing.assert_allclose(density[15:-15], expected[15:-15], rtol=0.15)


def test_what_is_not_finite_has_no_answer():
    broken, whole = histogram([1.0, np.inf, 2.0]), histogram([1.0, 2.0])
    assert np.isnan(broken.spread)
    assert np.isnan([broken.distance(whole), whole.distance(broken)]).all()
    assert np.isnan(broken.density(np.array([0.0, 1.0]))).all()
    point = histogram([0.0, 0.0])
    assert point.spread == 0
    assert np.isnan(point.distance(point))
    assert np.isnan(point.distance(point, shape=True))


def test_what_was_written_is_read_back(read):
    of = widths((1, 2), input_late_gradients=4.0)
    (run,) = read(fake_probed(RUN.replace(epochs=2), of, even_scales(3)))
    assert set(run.histograms) == set(of)
    assert run.scales.shape == (2, 2, 8)
    wide = run.histograms[Place(1, "late", "input", "gradients")]
    narrow = run.histograms[Place(1, "early", "input", "gradients")]
    assert wide.spread == pytest.approx(4 * narrow.spread, rel=1e-2)
    assert probed([], Store([], "nowhere")) == []


def test_quantities_of_known_distributions(read):
    affine = RUN.replace(norm="affine")
    runs = read(
        fake_probed(RUN),
        fake_probed(
            affine,
            widths(
                final_late_weights=1.5,
                final_late_gradients=3.0,
                input_early_weights=0.5,
                input_late_gradients=4.0,
            ),
            even_scales(5),
        ),
        fake_probed(affine.replace(seed=1)),
    )
    assert set(QUANTITIES) <= set(KNOWN)
    table = quantities(runs).set_index("key")
    assert list(table.columns) == list(QUANTITIES)
    row = table.loc[affine.key]
    assert row["final_late_weights_apart"] == pytest.approx(100 * 0.5 / 1.25, abs=1)
    assert row["final_late_gradients_apart"] == pytest.approx(100 * 2 / 2, abs=1)
    assert row["final_late_gradients_shape_apart"] == pytest.approx(0, abs=1)
    assert row["weights_moved"] == pytest.approx(100 * 1.0 / 1.0, abs=1)
    assert row["input_weights_moved"] == pytest.approx(100 * 0.5 / 0.75, abs=1)
    assert row["final_weights_moved"] == pytest.approx(100 * 0.5 / 1.25, abs=1)
    assert row["input_gradients_widening"] == pytest.approx(2, abs=0.02)
    assert row["final_gradients_widening"] == pytest.approx(np.log2(3), abs=0.02)
    assert row["start_activation_disparity"] == pytest.approx(5)
    assert row["early_gradient_disparity"] == pytest.approx(5)
    assert table.loc[RUN.key, "final_late_weights_apart"] == 0
    alone = table.loc[affine.replace(seed=1).key]
    assert np.isnan(alone["final_late_weights_apart"]), "its seed has no run with BN"
    assert alone["weights_moved"] == pytest.approx(0, abs=1)


def test_longer_runs_serve_and_count_once(read):
    """The first epoch is the same, so a run of BN of any length is what others are held against."""
    long = RUN.replace(epochs=5)
    affine = RUN.replace(norm="affine")
    runs = read(
        fake_probed(RUN),
        fake_probed(long, widths((1, 5))),
        fake_probed(affine, widths(final_late_weights=3.0)),
    )
    assert {run.key for run in longest(runs)} == {long.key, affine.key}
    apart = quantities(runs).set_index("key")["final_late_weights_apart"]
    assert apart[affine.key] == pytest.approx(100, abs=1)
    table = spreads(runs)
    assert set(table.loc[table["condition"] == "batch", "epoch"]) == {1, 5}
    assert pooled(runs, "batch", 5, "late", "final", "weights").counts.sum() == 3000
    assert pooled(runs, "batch", 2, "late", "final", "weights") is None


def test_scales_by_block(read):
    table = scales(read(fake_probed(RUN, None, even_scales(7))))
    one = table[(table["moment"] == "start") & (table["signal"] == "gradient")]
    assert one["block"].tolist() == list(range(1, 9))
    assert one["scale"].tolist() == pytest.approx([2.0**block for block in range(8)])


def test_a_start_without_gradients_has_no_disparity(read):
    run = next(one for one in like_the_source(1) if one.experiment.initialization == "fixup")
    row = quantities(read(run)).iloc[0]
    assert np.isnan(row["start_gradient_disparity"])
    assert row["early_gradient_disparity"] == pytest.approx(0.5)


def test_verdicts_from_records(read):
    """From arrays on a disk to answers; E11 lacks the accuracies of whole runs."""
    records = like_the_source()
    table = with_quantities(tidy(records), read(*records))
    assert len(table) == len(records)
    judged = verdicts.judge([CLAIMS[name] for name in HERE], table)
    answers = {one.claim.id: one.answer for one in judged}
    assert answers == dict.fromkeys(("E7", "E8", "E17"), SUPPORTED) | {"E11": UNDECIDED}
    e11 = next(one for one in judged if one.claim.id == "E11")
    assert [one.answer for one in e11.primary] == [SUPPORTED, SUPPORTED, UNDECIDED]
    assert {one.n for one in e11.primary} == {4, 0}


def test_no_runs_give_empty_tables():
    table = with_quantities(tidy([]), [])
    assert set(QUANTITIES) <= set(table.columns)
    assert all(one.empty for one in (table, spreads([]), scales([])))
    judged = verdicts.judge([CLAIMS[name] for name in HERE], table)
    assert {one.answer for one in judged} == {UNDECIDED}
