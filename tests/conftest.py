"""What every test may use. Qt draws nowhere; torch and BLAS keep to one thread.

What the tests leave behind lies in folders of the run, not among the user's own files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# Before anything imports Qt or a BLAS: threads that fight for two cores cost ten times their share.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402

from models.registry import unregister_engine  # noqa: E402
from tests.support import jack  # noqa: E402
from tests.support.tone_engine import register_tone_engine  # noqa: E402

jack.forget_dead_servers()  # before any test is a client


@pytest.fixture(scope="session", autouse=True)
def user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which programs of this run find the user's data and settings."""
    home = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        yield home


@pytest.fixture
def tone_engine() -> Iterator[str]:
    """The name under which `open_engine` opens the tone engine during the test."""
    register_tone_engine("tone", block_seconds=0.1)
    yield "tone"
    unregister_engine("tone")
