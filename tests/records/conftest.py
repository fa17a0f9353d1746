import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project folder, so that no test touches anybody's records."""
    monkeypatch.setenv("NORMLIB_ROOT", str(tmp_path))
    monkeypatch.delenv("NORMLIB_RUNS", raising=False)
    return tmp_path
