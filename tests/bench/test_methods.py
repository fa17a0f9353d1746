import pytest

from normlib.bench import methods
from normlib.bench.layers import Case
from normlib.methods import catalogue


def case(name: str, ours: float, peer: float = 1e-3) -> Case:
    return Case(name, methods.SHAPE, "compiled", ours, peer, peer, 1.0, 1.0)


def test_every_activation_method_is_timed_in_one_group() -> None:
    names = {m.name for m in methods.timed_methods()}
    assert {"batch", "layer", "switchable", "decorrelated", "affine"} <= names
    assert not {m.name for m in catalogue.values() if m.projected == "weight"} & names
    groups = {methods.group(m) for m in methods.timed_methods()}
    assert groups == {*methods.GOALS, "decompositions", "no statistics"}


def test_means_are_of_times_against_the_framework_s_batch_norm() -> None:
    cases = [case("batch", 1e-3), case("layer", 4e-3, 9e-3), case("switchable", 3e-3)]
    one, several = methods.means("compiled", cases)
    assert one.ratio == pytest.approx(1 / 2)
    assert one.goal == pytest.approx(1 / 2)
    assert several.ratio == pytest.approx(1 / 3)
    assert several.reached
    assert methods.means("eager", cases)[0].goal is None
    (_, none) = methods.means("compiled", [cases[0], case("affine", 1e-4)])
    assert (none.name, none.goal) == (
        "methods with no statistics, compiled, geometric mean of 1",
        None,
    )


@pytest.mark.parametrize("name", ["renorm", "switchable", "torch:batch"])
def test_a_method_is_timed_by_its_name_in_the_catalogue(name: str) -> None:
    from normlib.bench.layer_process import CATALOGUE, measure

    shape = (4, 8, 5, 5)
    found = measure((CATALOGUE, name), (CATALOGUE, "torch:batch"), shape, False, 2)
    assert min(found["ours"], found["peer"], found["again"]) > 0
