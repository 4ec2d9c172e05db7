"""What every test may use. Qt draws nowhere; torch and BLAS keep to one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Before anything imports Qt or a BLAS: threads that fight for two cores cost ten times their share.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402

from models.registry import unregister_engine  # noqa: E402
from tests.support import jack  # noqa: E402
from tests.support.tone_engine import register_tone_engine  # noqa: E402

jack.forget_dead_servers()  # before any test is a client


@pytest.fixture
def tone_engine() -> Iterator[str]:
    """The name under which `open_engine` opens the tone engine during the test."""
    register_tone_engine("tone", block_seconds=0.1)
    yield "tone"
    unregister_engine("tone")
