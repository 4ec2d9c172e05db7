"""`devices` and `soak` of the command line. Main thread; starts the audio and inference lanes."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import Any, Final

import numpy as np

from app.audio.output import AudioOutput, AudioSettings, list_devices
from app.audio.plan_check import PlanCheck
from app.audio.shared_memory import SAMPLE_RATE
from models.errors import SegueError

START_SECONDS: Final = 120.0


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


def devices(as_json: bool = False) -> int:
    """Print the audio outputs and MIDI ports, as the program sees them. 0."""
    why = ""
    try:
        found = list_devices()
    except SegueError as error:
        found, why = [], str(error)
    inputs, outputs, no_midi = midi_ports()
    if as_json:
        audio = [
            {
                "name": d.label,
                "channels": d.channels,
                "sample_rate": d.sample_rate,
                "default": d.is_default,
            }
            for d in found
        ]
        print(json.dumps({"audio": audio, "midi_in": inputs, "midi_out": outputs}, indent=2))
        return 0
    print("audio outputs:")
    for d in found:
        mark = "*" if d.is_default else " "
        print(f"{mark} {d.label}, {d.channels} channels, {d.sample_rate} Hz")
    if not found:
        print(f"  none: {why or 'plug one in; without one the music goes on unheard.'}")
    for title, ports in (("inputs", inputs), ("outputs", outputs)):
        print(f"MIDI {title}:")
        for port in ports:
            print(f"  {port}")
        if not ports:
            print(f"  none{': ' + no_midi if no_midi else ''}")
    return 0


def soak(
    minutes: float,
    *,
    engine: str = "segue",
    device: str = "auto",
    seed: int = 0,
    as_json: bool = False,
    audio_device: str | None = None,
    buffer_frames: int = 256,
    turn_every: float = 2.0,
) -> int:
    """Play an engine through the audio device without a window; 1 if the sound ever broke off.

    A knob is turned every `turn_every` seconds. Prints what was counted.
    """
    from PySide6.QtCore import QCoreApplication, Qt

    from app.inference.worker import Worker
    from models.engine.controls import Controls
    from models.registry import open_engine

    app = QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    failed: list[str] = []
    ready: list[Any] = []
    incidents: list[str] = []
    settings = AudioSettings(audio_device, buffer_frames=buffer_frames)
    output = AudioOutput(settings)
    output.on_event = lambda event: incidents.append(event.sentence)
    worker = Worker(lambda: open_engine(engine, device), output, seed=seed)
    direct = Qt.ConnectionType.DirectConnection
    worker.engine_failed.connect(failed.append, direct)
    worker.engine_ready.connect(ready.append, direct)
    worker.incident.connect(lambda incident: incidents.append(incident.sentence), direct)
    began = time.monotonic()
    try:
        output.start()
        worker.start()
        while not ready and not failed and time.monotonic() - began < START_SECONDS:
            app.processEvents()
            time.sleep(0.05)
        if failed or not ready:
            raise SegueError(failed[0] if failed else "the engine did not start in two minutes.")
        worker.submit(_turned(Controls(), ready[0].controls, 0))
        while worker.status().plan_seconds < 2.0 and time.monotonic() - began < START_SECONDS:
            time.sleep(0.05)
        worker.play()
        report = _play(worker, output, ready[0], minutes * 60.0, turn_every)
    finally:
        worker.stop()
        worker.wait()
        output.stop()
    report = {"engine": engine, **report, "incidents": incidents}
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            print(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    return 1 if report["underruns"] or report["xruns"] or report["discontinuities"] else 0


def _turned(controls: Any, acting: frozenset[str], turn: int) -> Any:
    """The controls with one knob turned; only a knob that the engine has."""
    changes: dict[str, Any] = {}
    if "density" in acting:
        changes["density"] = (0.3, 0.8)[turn % 2]
    elif "brightness" in acting:
        changes["brightness"] = (0.3, 0.8)[turn % 2]
    if "bpm" in acting:
        changes["bpm"] = (120.0, 120.0, 126.0, 126.0)[turn % 4]
    return controls.with_(**changes)


def _play(
    worker: Any, output: AudioOutput, info: Any, seconds: float, turn_every: float
) -> dict[str, Any]:
    from models.engine.controls import Controls

    deadline = time.monotonic() + 10.0
    while output.status().gain < 1.0 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.0)  # the first callbacks of a device are often late
    first = output.status()
    check = PlanCheck(output, first.read)
    output.reset_worst()
    began, turn, next_turn, lowest = time.monotonic(), 0, 0.0, np.inf
    while (passed := time.monotonic() - began) < seconds:
        if passed >= next_turn:
            next_turn, turn = next_turn + turn_every, turn + 1
            worker.submit(_turned(Controls(), info.controls, turn))
        check.look()
        lowest = min(lowest, output.status().plan_seconds)
        time.sleep(0.05)
    check.look()
    status, last = worker.status(), output.status()
    return {
        "device": last.device,
        "buffer_frames": last.buffer_frames,
        "seconds": round(seconds, 3),
        "heard_seconds": round((last.read - first.read) / SAMPLE_RATE, 3),
        "underruns": last.underruns - first.underruns,
        "xruns": last.xruns - first.xruns,
        "discontinuities": check.torn + status.discontinuities + last.collisions - first.collisions,
        "torn": check.torn,
        "edges": status.discontinuities,
        "faded_around": last.collisions - first.collisions,
        "restarts": last.restarts,
        "worst_callback_ms": round(last.worst_callback_ms, 3),
        "plan_seconds_min": round(float(lowest), 3),
        "knob_turns": turn,
        "knob_to_sound_worst_ms": round(status.knob_to_sound_worst_ms, 1),
        "real_time_factor": round(status.real_time_factor, 2),
        "recoveries": status.recoveries,
        "limited_frames": check.limited,
    }
