"""What a worker finds around itself."""

from normlib.sweep.process import surroundings


def test_tunables_that_were_set_are_kept(monkeypatch):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    assert surroundings(1)["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0")
    assert surroundings(1)["GLIBC_TUNABLES"] == "glibc.pthread.rseq=0:glibc.malloc.hugetlb=1"


def test_threads_are_limited_for_every_library():
    limited = {name for name, value in surroundings(3).items() if value == "3"}
    assert {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"} <= limited
