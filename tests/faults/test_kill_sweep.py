from tests.faults.kill_sweep import ZERO, kill_often


def test_killed_at_random_moments_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    counts = kill_often(tmp_path, 6, trainer="tests.sweep.fake:train", seed=1)
    assert {name: counts[name] for name in ZERO} == dict.fromkeys(ZERO, 0)
    assert counts["kills"] == 6
    assert counts["histories compared"] >= 8
