"""An OSC port that somebody else has: the old one goes on, and the port is tried again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.control import bridge as bridges
from app.control import settings as remembered
from app.control.bridge import ControlBridge
from app.control.settings import ControlSettings
from app.parameters.registry import Registry

LOCAL = "127.0.0.1"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOCAL, 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOCAL, 0))
        yield other


def opened(folder: Path, port: int) -> ControlBridge:
    settings = ControlSettings(osc=True, osc_host=LOCAL, osc_port=port)
    bridge = ControlBridge(Registry(), folder, settings=settings, list_apis=list)
    bridge.start()
    return bridge


def test_the_old_port_stays_until_the_new_one_is_open(
    qtbot: QtBot, tmp_path: Path, taken: socket.socket
) -> None:
    bridge = opened(tmp_path, free_port())
    try:
        assert bridge.osc is not None
        old, busy = bridge.osc.port, taken.getsockname()[1]
        bridge.apply(replace(bridge.hub.settings, osc_port=busy))
        assert bridge.osc is not None and bridge.osc.running and bridge.osc.port == old
        assert str(busy) in bridge.osc_fault
        assert bridge.hub.settings.osc_port == remembered.load(tmp_path).osc_port == old
        # Another interface of the same port is no conflict with itself.
        bridge.apply(replace(bridge.hub.settings, osc_host="0.0.0.0"))
        assert bridge.osc is not None and bridge.osc.host == "0.0.0.0" and not bridge.osc_fault
        taken.close()
        bridge.apply(replace(bridge.hub.settings, osc_host=LOCAL, osc_port=busy))
        assert bridge.osc is not None and bridge.osc.port == busy
        assert remembered.load(tmp_path).osc_port == busy
    finally:
        bridge.stop()


def test_a_port_that_is_free_again_is_opened_by_itself(
    qtbot: QtBot, tmp_path: Path, taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridges, "OSC_RETRY_SECONDS", 0.05)
    busy = taken.getsockname()[1]
    bridge = opened(tmp_path, busy)
    sentences: list[str] = []
    bridge.message.connect(lambda level, sentence: sentences.append(sentence))
    try:
        assert bridge.osc is None and str(busy) in bridge.osc_fault
        qtbot.wait(200)
        assert bridge.osc is None and not sentences  # it is said once
        taken.close()
        qtbot.waitUntil(lambda: bridge.osc is not None, timeout=5000)
        assert not bridge.osc_fault
    finally:
        bridge.stop()
