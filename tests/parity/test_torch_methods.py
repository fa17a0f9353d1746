"""The catalogue's methods beside torch's own, live."""

from __future__ import annotations

import pytest
import torch

from normlib.analysis.parity import torch_methods
from normlib.methods import catalogue
from normlib.methods.frameworks import TORCH, TORCH_PARAMETRIZATIONS


def test_every_method_that_torch_has_is_the_same_definition() -> None:
    state = torch.random.get_rng_state()
    table = torch_methods.table()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert set(table["method"]) == set(TORCH) - {"none"}
    assert table["within"].all(), table[~table["within"]].to_string()
    assert not table.duplicated(["method", "mode", "quantity"]).any()
    for name in set(TORCH) - {"none"}:
        for mode in ("train", "eval"):
            rows = table[(table["method"] == name) & (table["mode"] == mode)]
            assert {"output", "d input"} <= set(rows["quantity"])
            assert ("buffers" in set(rows["quantity"])) == (
                catalogue[name].running or name == "spectral"
            )


def test_another_definition_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's sum instead of torch's mean in local response normalization."""
    from torch import nn

    monkeypatch.setitem(
        TORCH, "local-response", lambda shape, o: nn.LocalResponseNorm(5, alpha=5e-4)
    )
    table = torch_methods.table()
    assert set(table.loc[~table["within"], "method"]) == {"local-response"}


def test_methods_on_weights_have_a_parametrization_and_an_identity() -> None:
    assert set(TORCH_PARAMETRIZATIONS) == {n for n in TORCH if catalogue[n].projected == "weight"}
    for name in TORCH_PARAMETRIZATIONS:
        assert isinstance(catalogue[f"torch:{name}"].build((4, 3, 2)), torch.nn.Identity)
