import platform
import socket

from normlib.records import fingerprint


def test_environment_says_what_decides_bits():
    found = fingerprint.environment({"torch": "2.13.0"}, "cpu", 1, "eager", "AVX2")
    assert found["torch"] == "2.13.0"
    assert (found["device"], found["threads"], found["mode"]) == ("cpu", 1, "eager")
    assert found["instruction_set"] == "AVX2"
    assert all(found[name] for name in ("python", "platform", "cpu"))


def test_environment_does_not_name_the_machine():
    found = str(fingerprint.environment({}, "cpu", 1, "eager"))
    assert socket.gethostname() not in found
    assert platform.release() not in found


def test_source_hash_notices_content_and_names(tmp_path):
    def hashed(**files):
        for old in tmp_path.glob("*.py"):
            old.unlink()
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return fingerprint.source_sha256(tmp_path)

    hashes = [hashed(a="1"), hashed(a="2"), hashed(b="1"), hashed(a="1", b=""), hashed(a="1b")]
    assert len(set(hashes)) == len(hashes)
    assert hashed(a="1") == hashes[0]


def test_code_state_is_that_of_the_start(monkeypatch):
    before = fingerprint.code_state()
    monkeypatch.setattr(fingerprint, "source_sha256", lambda package: "edited meanwhile")
    assert fingerprint.code_state() == before
    assert len(before["sha256"]) == 64
