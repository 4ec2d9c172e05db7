"""A packed linear layer gives the results of torch's own for any number of rows."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.runtime import packed_linear
from models.runtime.packed_linear import PackedLinear


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 40), (3, 40), (6, 40), (1, 6, 40), (200, 40)])
def test_the_same_product(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], bias: bool, packed: bool
) -> None:
    if not packed:  # as on a processor for which weights are not packed
        monkeypatch.setattr(packed_linear, "can_pack", lambda: False)
    weight, x = torch.randn(56, 40), torch.randn(shape)
    offset = torch.randn(56) if bias else None
    linear = PackedLinear(weight, offset)
    assert linear.packed == (packed and packed_linear.can_pack())
    with torch.inference_mode():
        product = linear(x)
    assert product.shape == (*shape[:-1], 56)
    torch.testing.assert_close(product, functional.linear(x, weight, offset), atol=1e-5, rtol=0)


def test_other_precisions_are_left_alone() -> None:
    weight, x = torch.randn(8, 16).double(), torch.randn(3, 16).double()
    linear = PackedLinear(weight)
    assert not linear.packed
    assert torch.equal(linear(x), functional.linear(x, weight))
