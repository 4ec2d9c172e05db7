"""Checks of the tensors in a weights file, with what is wrong in words.

A file may lack thousands of tensors: a sentence names three at most and counts the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

if TYPE_CHECKING:
    from safetensors import safe_open

FLOAT_TYPES: Final = frozenset({"F64", "F32", "F16", "BF16"})
"""Types of safetensors that hold weights as they are; others would need scales."""
NAMED: Final = 3
NAME_LENGTH: Final = 52
SHORT_NAME_LENGTH: Final = 32
Shape = tuple[int, ...]


def name_some(keys: Collection[str], named: int = NAMED, length: int = NAME_LENGTH) -> str:
    """The first of the keys, shortened, and how many more there are."""
    first = sorted(keys)[:named]
    words = ", ".join(_shortened(key, length) for key in first)
    more = len(keys) - len(first)
    return f"{words} and {more} more" if more else words


def _shortened(key: str, length: int) -> str:
    """The key's last characters; of long ones the layer's number rather than the whole path."""
    if len(key) > length:
        key = key.replace("/attention/", "/…/")
    return key if len(key) <= length else "…" + key[1 - length :]


def shape_mismatch(expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> str | None:
    """How shapes by key differ from the expected ones, in words; None where they are equal."""
    missing = expected.keys() - found.keys()
    unknown = found.keys() - expected.keys()
    wrong = sorted(key for key in expected.keys() & found.keys() if found[key] != expected[key])
    kinds = {"missing": missing, "unknown": unknown, "of another shape": wrong}
    present = {words: keys for words, keys in kinds.items() if keys}
    if not present:
        return None
    if len(present) > 1:
        return "; ".join(
            f"{words}: {name_some(keys, 1, SHORT_NAME_LENGTH)}" for words, keys in present.items()
        )
    if not wrong:
        return "; ".join(f"{words}: {name_some(keys)}" for words, keys in present.items())
    key, *others = wrong
    more = f", and {len(others)} more are of another shape" if others else ""
    return f"{name_some([key])} is {list(found[key])} and must be {list(expected[key])}{more}"


def type_fault(file: safe_open, keys: Iterable[str]) -> str | None:
    """Which tensors of an opened file are not floats, in words; None where all are."""
    kinds = {key: str(file.get_slice(key).get_dtype()) for key in keys}
    strange = {key: kind for key, kind in kinds.items() if kind not in FLOAT_TYPES}
    if not strange:
        return None
    names = ", ".join(sorted(set(strange.values()))[:NAMED])
    return f"of type {names} and no floats: {name_some(strange)}"


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is infinite or not a number."""
    # The sum is neither unless a value is, or weights are absurd: one pass, and no mask in memory.
    return bool(torch.isfinite(tensor.sum(dtype=torch.float32)))
