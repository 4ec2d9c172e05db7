"""`python main.py devices`: audio outputs and inputs, and MIDI ports, as the program sees them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.audio.devices import list_devices
from app.control.midi.connections import choose_api
from app.control.midi.ports import Backend, is_ours, keys_of
from app.control.midi.rtmidi_ports import LABELS, RtMidiBackend, available
from models.errors import SegueError
from models.runtime.quiet import quiet_stderr

SEQUENCER: Final = Path("/dev/snd/seq")


def devices(chosen: Namespace) -> int:
    """Print audio outputs and inputs, and MIDI ports of each MIDI API."""
    reason = "plug one in; without one the music goes on unheard."
    try:
        outputs, inputs = list_devices()
    except SegueError as error:
        outputs, inputs, reason = [], [], str(error)
    for kind, found in (("outputs", outputs), ("inputs", inputs)):
        print(f"audio {kind}:")
        for device in found:
            mark = "*" if device.is_default else " "
            print(f"{mark} {device.label}, {device.channels} channels, {device.sample_rate} Hz")
        if not found:
            print(f"  none: {reason if kind == 'outputs' else 'plug one in to play into Segue.'}")
    apis = available()
    used = choose_api("auto", apis)
    seen = [ports_of(api, RtMidiBackend) for api in apis]
    for kind in ("inputs", "outputs"):
        print(f"MIDI {kind}:")
        for each in seen:
            mark = "*" if each.api == used else " "
            names = each.inputs if kind == "inputs" else each.outputs
            for name in names:
                print(f"{mark} {name} ({LABELS[each.api]})")
            if not names:
                print(f"{mark} none ({LABELS[each.api]}){': ' if each.reason else ''}{each.reason}")
        if not seen:
            print("  none: this build of rtmidi has no MIDI system; get Segue again.")
    return 0


@dataclass(frozen=True)
class MidiPorts:
    """Ports of a MIDI API by their plain names, and why there are none."""

    api: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    reason: str = ""


def ports_of(api: str, open_backend: Callable[[str], Backend]) -> MidiPorts:
    """Ports that the instrument would open, asked for in the way it asks; nothing is printed."""
    try:
        with quiet_stderr():  # drivers print where there is no server
            backend = open_backend(api)
            try:
                inputs, outputs = (
                    tuple(keys_of([name for name in found if not is_ours(name)], api))
                    for found in (backend.inputs(), backend.outputs())
                )
            finally:
                backend.close()
    except (OSError, SegueError):
        return MidiPorts(api, reason=_reason(api))
    except Exception as error:  # a driver may raise anything
        return MidiPorts(api, reason=f"it does not answer ({type(error).__name__}: {error})")
    return MidiPorts(api, inputs, outputs)


def _reason(api: str) -> str:
    """Why an API does not answer."""
    if api == "LINUX_ALSA" and not SEQUENCER.exists():
        return "this system has no MIDI sequencer; load it with: modprobe snd-seq"
    if api == "UNIX_JACK":
        return "no JACK server runs"
    return "it does not answer"
