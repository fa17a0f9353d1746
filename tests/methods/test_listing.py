from normlib.methods import catalogue
from normlib.methods.listing import details, table


def test_the_table_has_a_line_per_method() -> None:
    head, rule, *lines = table(catalogue.values()).splitlines()
    assert head.split()[:2] == ["name", "title"]
    assert set(rule) == {"-", " "}
    assert [line.split()[0] for line in lines] == list(catalogue)
    assert max(map(len, lines)) < 260


def test_the_details_tell_what_is_known_and_no_code() -> None:
    told = details(catalogue["batch"])
    assert "momentum 0.99 is the weight of the old value" in told
    assert "filters scaled" in told
    assert "lambda" not in told
    assert "function" not in told
    assert details(catalogue["none"]).count("\n") >= 3
