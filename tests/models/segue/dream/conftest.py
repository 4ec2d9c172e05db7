"""Fixtures of the tests of dream: the engine, once for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.segue.engine import SegueEngine


@pytest.fixture(scope="module")
def engine() -> Iterator[SegueEngine]:
    made = SegueEngine()
    yield made
    made.close()
