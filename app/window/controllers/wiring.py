"""Connections of controllers and OSC with the window, the session and the playback."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from app.audio.settings import AudioStatus
from app.control.bridge import ControlBridge
from app.control.hub import HubOptions, Maps
from app.live_controller import LiveController
from app.session.history import SideEdit
from app.session.session import Session
from app.window.controllers.clock_alignment import ClockAlignment
from app.window.controllers.coordinator import ControllerCoordinator
from app.window.controllers.learn.zones import LearnTargets
from app.window.main_window import MainWindow


def open_bridge(window: MainWindow, folder: Path, **options: Unpack[HubOptions]) -> ControlBridge:
    """Start controllers and OSC for a window; stop them before the window is shut.

    Args:
        window: receives held notes and messages; its session undoes edits of maps.
        folder: keeps settings and maps.
        options: as for `ControlHub`.

    """
    live, session = window.live, window.session

    def led(name: str) -> float:
        return trigger_led(name, live, session)

    bridge = ControlBridge(window.registry, folder, window, led=led, **options)

    def record_edit(before: Maps, gesture: str) -> None:
        key = f"map of {', '.join(before)} {gesture}"
        session.record_side_edit(key, SideEdit(before, bridge.hub.put_maps), alone=not gesture)

    bridge.hub.on_edit = record_edit
    bridge.notes_changed.connect(live.set_notes)
    bridge.message.connect(window.say)
    live.scenes.changed.connect(lambda: bridge.hub.refresh_feedback("scene.*.recall"))
    live.notes_changed.connect(lambda _: bridge.hub.refresh_feedback("keys.off"))
    bridge.figures = lambda: dropouts(window.playback.output.status())
    bridge.score = window.playback.score
    bridge.start()
    return bridge


def dropouts(audio: AudioStatus) -> dict[str, int]:
    """What OSC tells of the sound: underruns of the plan, xruns of the devices."""
    return {"underruns": audio.underruns, "xruns": audio.xruns, "input_xruns": audio.input.lost}


def trigger_led(name: str, live: LiveController, session: Session) -> float:
    """Feedback of a trigger: 1 for an active scene or held notes, 0.5 for a saved scene, else 0."""
    if name == "keys.off":
        return 1.0 if live.notes else 0.0
    parts = name.split(".")
    if parts[0] != "scene" or parts[-1] != "recall":
        return 0.0
    number = int(parts[1])
    if live.scenes.active == number:
        return 1.0
    return 0.5 if session.scenes[number - 1] is not None else 0.0


def open_coordinator(window: MainWindow, bridge: ControlBridge) -> ControllerCoordinator:
    """Learn mode and the controllers' window for a window; stop them before it is shut."""
    top = window.top
    targets = LearnTargets(
        window.centre,
        window.control_widgets,
        {"edit.undo": top.undo, "edit.redo": top.redo, "stage": top.stage},
        window.map_panel.map,
    )
    coordinator = ControllerCoordinator(window, bridge, targets, window.spectrogram)
    coordinator.message.connect(window.say)
    coordinator.learning_changed.connect(top.learn.setChecked)
    coordinator.learning_changed.connect(lambda on: window.editor.close_editor() if on else None)
    window.learn_requested.connect(coordinator.toggle_learning)
    window.controllers_requested.connect(coordinator.open_controllers)
    return coordinator


def align_clock(window: MainWindow, bridge: ControlBridge) -> ClockAlignment:
    """Keep the MIDI clock that is sent on the audible beats; stop it before the window is shut."""
    worker, output = window.playback.worker, window.playback.output
    alignment = ClockAlignment(
        bridge.hub, bridge.transport.beat, worker.next_bar, output.position_now, window
    )
    worker.block_ready.connect(alignment.receive)
    return alignment
