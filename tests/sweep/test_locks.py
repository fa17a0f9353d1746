import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

from normlib import locks
from normlib.sweep import checkpoints

HOLD = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from normlib import locks
    with locks.holding(Path(sys.argv[1])) as held:
        print(held, flush=True)
        sys.stdin.read()
    """
)


def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    return process


def test_second_process_is_refused_until_the_first_dies(tmp_path):
    path = tmp_path / "run.lock"
    with holder(path) as first:
        with locks.holding(path) as held:
            assert not held
        assert path.exists(), "a refused lock must not remove the holder's file"
        first.kill()
        first.wait()
    with locks.holding(path) as held:
        assert held
    assert not path.exists()


def test_never_two_holders_while_files_come_and_go(tmp_path):
    path = tmp_path / "run.lock"
    inside = []

    def compete(_):
        with locks.holding(path) as held:
            if held:
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(compete, range(2000)))
    assert not path.exists()


def test_sweeping_out_spares_what_is_being_computed(tmp_path):
    dead, living, recorded = "0" * 16, "1" * 16, "2" * 16
    kept, gone = [], []
    for key, names, fate in (
        (dead, ("npz",), kept),
        (dead, ("npzab12.tmp", "lock"), gone),
        (living, ("npz", "npzab12.tmp"), kept),
        (recorded, ("npz", "npzab12.tmp", "lock"), gone),
    ):
        for name in names:
            fate.append(tmp_path / f"{key}.{name}")
            fate[-1].write_text("x")
    hidden = tmp_path / f".{dead}.npz.host.1.tmp"
    hidden.write_text("x")
    foreign = tmp_path / "README.md"
    foreign.write_text("x")
    with holder(tmp_path / f"{living}.lock") as process:
        checkpoints.sweep_out(tmp_path, {recorded, living})
        assert all(path.exists() for path in [*kept, foreign])
        assert not any(path.exists() for path in [*gone, hidden])
        process.kill()
