"""Where a data set is taken from when several places have it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from normlib.datasets import INFO, MissingDatasetError, load, search
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine


def source(data: Fake, split: str = "train") -> Path:
    found = search.find(data.info, split)
    assert found is not None
    return found.path


def test_order(machine: Machine, know: Callable[[str], Fake]) -> None:
    data = know("mnist")
    for folder in (machine.system, machine.local, machine.named):  # the last one written wins
        archives.write_idx(folder / "mnist", data)
        assert source(data).parent == folder / "mnist"
    machine.patch.delenv("NORMLIB_DATA")
    assert source(data).parent == machine.local / "mnist"


def test_order_of_cifar_prefers_what_needs_no_unpickling(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    data = know("cifar10")
    folder = machine.named / "cifar10"
    archives.write_parquet(folder, data)
    for name, contents in (
        ("cifar-10-python.tar.gz", archives.pickled(data)),
        ("cifar-10-binary.tar.gz", archives.binary(data)),
    ):
        archives.tar(folder / name, contents)
        assert source(data).name == name


def test_home_is_expanded(machine: Machine, know: Callable[[str], Fake]) -> None:
    data = know("mnist")
    archives.write_idx(machine.named / "mnist", data)
    machine.patch.setenv("HOME", str(machine.named.parent))
    machine.patch.setenv("NORMLIB_DATA", "~/named")
    assert source(data).parent == machine.named / "mnist"


def test_a_folder_that_does_not_exist_is_passed_over(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    data = know("mnist")
    machine.patch.setenv("NORMLIB_DATA", str(machine.named / "nowhere"))
    archives.write_idx(machine.system / "mnist", data)
    assert len(load("mnist", "test").labels) == archives.SIZES["test"]


def test_files_without_a_folder_of_their_own_are_not_taken(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    # MNIST and Fashion-MNIST share their file names, so only the folder tells them apart.
    data = know("mnist")
    archives.write_idx(machine.named, data)
    assert search.find(data.info, "train") is None


def test_fashion_mnist_never_stands_in_for_mnist(machine: Machine) -> None:
    fashion = machine.know(archives.fake("fashion-mnist", seed=1))
    archives.write_idx(machine.named / "fashion-mnist", fashion)
    with pytest.raises(MissingDatasetError):
        load("mnist", "train")


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "cifar10", "fashion-mnist-sample"])
def test_missing_lists_every_place_and_every_way(name: str, machine: Machine) -> None:
    with pytest.raises(MissingDatasetError) as caught:
        load(name, "train")
    message = str(caught.value)
    for folder in search.folders(INFO[name]):
        assert str(folder) in message
    for way in INFO[name].ways:
        assert way in message
    assert "\n" not in message
    if INFO[name].kind == "published":
        assert {machine.named, machine.local, machine.system} == set(search.roots())


def test_the_sample_comes_only_from_the_checkout(machine: Machine) -> None:
    sample = machine.know(archives.fake("fashion-mnist-sample"))
    archives.write_idx(machine.named / "sample", sample)
    with pytest.raises(MissingDatasetError, match="git checkout data/sample"):
        load("fashion-mnist-sample", "train")
    archives.write_idx(machine.root / "data" / "sample", sample, packed=False)
    assert len(load("fashion-mnist-sample", "train").labels) == archives.SIZES["train"]
    assert not machine.cached(sample).exists()
