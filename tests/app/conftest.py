"""What the tests of the program share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.support.rig import Rig, rigs


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    """The window on the fake player, with an engine that is ready."""
    yield from rigs(qtbot, tmp_path)
