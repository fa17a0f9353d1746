"""``normlib data list | get | check``."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from normlib.datasets import INFO, DatasetError
from normlib.datasets.commands import app
from tests.datasets import archives
from tests.datasets.archives import Fake
from tests.datasets.conftest import Machine


def run(*words: str, fails: bool = False) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words), catch_exceptions=fails)
    return result.exit_code, result.stdout, result.stderr


def test_list_names_every_set_and_where_it_is(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    archives.write_idx(machine.named / "mnist", know("mnist"))
    code, out, _ = run("list")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[1:]] == list(INFO)
    where = {line.split()[0]: line for line in lines}
    assert where["mnist"].endswith(str(machine.named / "mnist"))
    assert where["cifar10"].endswith("missing")
    assert where["synthetic-gray"].endswith("made by formula")


def test_get_decodes_and_says_the_hash(machine: Machine, know: Callable[[str], Fake]) -> None:
    data = know("mnist")
    archives.write_idx(machine.system / "mnist", data)
    code, out, _ = run("get", "mnist")
    assert code == 0
    assert out.splitlines() == [
        f"mnist {split}: {archives.SIZES[split]} images, sha256 {data.info.sha256[split]}"
        for split in ("train", "test")
    ]
    assert machine.cached(data).exists()


def test_unknown_name() -> None:
    with pytest.raises(DatasetError, match="'nist'; choose from fashion-mnist, mnist"):
        run("get", "nist")


def test_check_reads_the_files_even_if_the_cache_is_good(
    machine: Machine, know: Callable[[str], Fake]
) -> None:
    data = know("mnist")
    folder = archives.write_idx(machine.named / "mnist", data)
    assert run("get", "mnist")[0] == 0
    assert run("check", "mnist")[0] == 0
    damaged = folder / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    code, out, err = run("check", "mnist")
    assert code == 2
    assert "mnist test: ok" in out  # the rest is still looked at
    assert err.startswith("error: ")
    assert str(damaged) in err
    assert len(err.splitlines()) == 1


def test_check_counts_a_missing_set_only_when_asked_for(machine: Machine) -> None:
    assert run("check", "synthetic-gray")[0] == 0
    code, _, err = run("check", "cifar10")
    assert code == 2
    assert "normlib data get cifar10" in err
    _, out, err = run("check")
    assert "cifar10 train: missing" in out
    assert "cifar10" not in err


def test_the_command_line_has_the_group(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from normlib import cli

    monkeypatch.setattr("sys.argv", ["normlib", "data", "get", "nist"])
    with pytest.raises(SystemExit) as stop:
        cli.app()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: no data set is called 'nist'")
