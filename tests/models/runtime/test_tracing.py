"""Traced functions give the same results as eager ones."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.packed_linear import PackedLinear, can_pack
from models.runtime.tracing import TracedFunction, packed_linear_op, trace


def moved(x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    line = torch.cat([torch.zeros(2, x.shape[1]), x])
    return (line[:-2] * weight).cumsum(0), line[-2:].clone()


def test_the_same_to_the_bit_for_any_number_of_rows() -> None:
    traced = trace(moved, (torch.zeros(6, 5), torch.zeros(5)))
    assert isinstance(traced, TracedFunction)
    weight = torch.randn(5)
    for rows in (1, 6, 40):
        x = torch.randn(rows, 5)
        for found, expected in zip(traced(x, weight), moved(x, weight), strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("error", [RuntimeError, AttributeError, ImportError])
def test_where_nothing_can_be_recorded_the_function_is_used(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise error("no recorder here")

    monkeypatch.setattr(torch.jit, "trace", refuses)
    assert trace(moved, (torch.zeros(6, 5), torch.zeros(5))) is moved


@pytest.mark.skipif(not can_pack(), reason="this processor's torch packs no weights")
def test_a_product_with_a_packed_weight_is_recorded() -> None:
    weight, offset, x = torch.randn(24, 16), torch.randn(24), torch.randn(6, 16)
    linear = PackedLinear(weight, offset)

    def product(x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        return (packed_linear_op()(x, weight, offset).relu(),)

    traced = trace(product, (torch.zeros(6, 16), linear.weight))
    assert isinstance(traced, TracedFunction)
    expected = functional.linear(x, weight, offset).relu()
    torch.testing.assert_close(traced(x, linear.weight)[0], expected, atol=1e-5, rtol=0)
