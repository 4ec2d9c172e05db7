"""Servers that are announced and found on the network; here on loopback."""

from __future__ import annotations

import sys

import pytest

from app.cli import main
from models.errors import SegueError
from models.remote.discovery import Announcement, check_announcement, find_servers

HERE = ["127.0.0.1"]


def test_what_is_announced_is_found() -> None:
    pytest.importorskip("zeroconf")
    announced = Announcement("magenta-rt2-base", "127.0.0.1", 7177, interfaces=HERE)
    announced._thread.join()
    try:
        assert "remote://127.0.0.1:7177/magenta-rt2-base" in find_servers(0.5, interfaces=HERE)
    finally:
        announced.close()


def test_a_server_for_its_own_machine_is_not_announced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SegueError, match="name an interface"):
        check_announcement("127.0.0.1")
    assert main(["serve", "--engine", "segue", "--announce"]) == 2
    assert "name an interface" in capsys.readouterr().err


def test_without_the_package_a_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    assert main(["models", "find"]) == 2
    assert "pip install zeroconf" in capsys.readouterr().err
