"""`devices` lists what the instrument would see, for each MIDI API, and nothing else."""

from __future__ import annotations

from argparse import Namespace

import pytest

from app.cli.devices import devices, ports_of
from app.control.midi.ports import Backend
from tests.support import jack
from tests.support.midi_device import JackDevice, MemoryBackend


def test_ports_by_their_plain_names() -> None:
    backend = MemoryBackend()
    backend.names = ["MIDI Mix:MIDI Mix MIDI 1 20:0", "Midi Through:Midi Through Port-0 14:0"]
    found = ports_of("LINUX_ALSA", lambda api: backend)
    assert found.inputs == found.outputs == ("MIDI Mix MIDI 1",) and not found.reason


@pytest.mark.parametrize(
    ("error", "words"), [(OSError("x"), "no JACK server runs"), (RuntimeError("odd"), "odd")]
)
def test_an_api_that_does_not_answer(
    error: Exception, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(api: str) -> Backend:
        import os

        os.write(2, b"a driver's own line\n")
        raise error

    found = ports_of("UNIX_JACK", fail)
    assert not found.inputs and words in found.reason
    assert capfd.readouterr().err == ""


def test_the_api_that_the_instrument_uses_is_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not the first one that there is."""
    backend = MemoryBackend()
    backend.names = ["MIDI Mix:MIDI Mix MIDI 1 20:0"]
    for name, stub in (
        ("list_devices", lambda: ([], [])),
        ("available", lambda: ["LINUX_ALSA", "UNIX_JACK"]),
        ("choose_api", lambda choice, apis: "UNIX_JACK"),
        ("RtMidiBackend", lambda api: backend),
    ):
        monkeypatch.setattr(f"app.cli.devices.{name}", stub)
    assert devices(Namespace()) == 0
    told = capsys.readouterr().out
    assert "* MIDI Mix MIDI 1 (JACK)" in told and "  MIDI Mix MIDI 1 (ALSA)" in told


@pytest.mark.skipif(bool(jack.missing()), reason=jack.missing() or "there")
def test_ports_on_jack_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    with jack.JackServer(256):
        device = JackDevice("MIDI Mix")
        try:
            assert devices(Namespace()) == 0
        finally:
            device.unplug()
    told = capfd.readouterr()
    first, _, last = told.out.partition("MIDI inputs:")[2].partition("MIDI outputs:")
    assert "MIDI Mix MIDI 1 (JACK)" in first and "MIDI Mix MIDI 1 (JACK)" in last
    assert "(ALSA)" in first and "cannot be used" not in told.out
    assert told.err == ""
