"""`python main.py devices`: audio outputs and inputs, and MIDI ports, as the program sees them."""

from __future__ import annotations

import contextlib
from argparse import Namespace

from app.audio.output import list_devices
from models.errors import SegueError


def devices(chosen: Namespace) -> int:
    """Print audio outputs and inputs, and MIDI ports."""
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
    midi_inputs, midi_outputs, reason = midi_ports()
    for title, ports in (("inputs", midi_inputs), ("outputs", midi_outputs)):
        print(f"MIDI {title}:")
        for port in ports:
            print(f"  {port}")
        if not ports:
            print(f"  none{': ' + reason if reason else ''}")
    return 0


def midi_ports() -> tuple[list[str], list[str], str]:
    """Inputs, outputs, and why there are none: '' where the system could be asked."""
    try:
        import rtmidi

        with contextlib.ExitStack() as stack:
            midi_in, midi_out = rtmidi.MidiIn(), rtmidi.MidiOut()
            stack.callback(midi_in.delete)
            stack.callback(midi_out.delete)
            return list(midi_in.get_ports()), list(midi_out.get_ports()), ""
    except Exception as error:  # rtmidi raises its own kinds where there is no sequencer
        return [], [], f"MIDI cannot be used here ({error})."
