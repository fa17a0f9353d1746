import os
import subprocess
import sys
import time

import pytest

from normlib import atomic


def test_old_or_new_never_between(tmp_path):
    path = tmp_path / "file"
    atomic.write(path, b"old")

    def interrupted():
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"half of the n")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"


def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def left_behind(folder, pid, *, host=None, age=0.0):
    path = folder / f".run.json.{host or atomic._host()}.{pid}.tmp"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_orphans_of_the_dead_are_removed(tmp_path):
    path = left_behind(tmp_path / "deep/er", dead_process())
    assert atomic.remove_orphans(tmp_path) == [path]
    assert not path.exists()


def test_files_of_the_living_stay(tmp_path):
    mine = left_behind(tmp_path, os.getpid())
    elsewhere = left_behind(tmp_path, dead_process(), host="another-machine")
    assert atomic.remove_orphans(tmp_path) == []
    assert mine.exists()
    assert elsewhere.exists()


def test_a_day_later_nobody_lives(tmp_path):
    left_behind(tmp_path, os.getpid(), age=90_000)
    left_behind(tmp_path, 1, host="another-machine", age=90_000)
    assert len(atomic.remove_orphans(tmp_path)) == 2


def test_other_files_are_not_touched(tmp_path):
    for name in (".run.tmp", "notes.tmp", ".hidden", ".x.host.12a.tmp"):
        (tmp_path / name).write_text("mine")
    assert atomic.remove_orphans(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 4


def test_no_folder_is_no_orphan(tmp_path):
    assert atomic.remove_orphans(tmp_path / "absent") == []
