"""The window: puts the panels together and lets what happens flow between them. GUI lane."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QStackedWidget,
)

from app.live_controller import LiveController
from app.parameters import catalogue
from app.parameters.registry import Change
from app.playback import Playback, audio_settings
from app.session import preferences as prefs
from app.session.incident_log import IncidentLog
from app.session.session import Session
from app.window.commands import Commands
from app.window.continuation import ContinueFromAudio
from app.window.dialogs.incident_log import LogDialog
from app.window.dialogs.keyboard_sheet import KeyboardSheet
from app.window.dialogs.welcome import Welcome
from app.window.jobs import Jobs
from app.window.layout import arrange
from app.window.panels.controls import ControlsPanel
from app.window.panels.output import OutputPanel
from app.window.panels.recording import RecordingPanel
from app.window.panels.scenes import ScenesPanel
from app.window.panels.status_bar import StatusBar
from app.window.panels.top_bar import TopBar
from app.window.panels.transport import TransportPanel
from app.window.prompts.actions import PromptActions
from app.window.prompts.editor import PromptEditor, load_suggestions
from app.window.prompts.map_panel import MapPanel
from app.window.prompts.mixer import PromptMixer
from app.window.prompts.strip_menu import open_menu
from app.window.proportions import LEAST, USUAL, Proportions
from app.window.recordings import Recordings
from app.window.session_files import SessionFiles
from app.window.shortcuts import shortcut_of
from app.window.spectrogram.back_to_now_button import BackToNowButton
from app.window.spectrogram.view import SpectrogramView
from app.window.stage import stage_mode as stage
from app.window.widgets.banner import Banner
from app.window.widgets.parameter_widget import ParameterWidget
from models.errors import SegueError

FRAME_MS: Final = 16


class MainWindow(QMainWindow):
    """The instrument. `folder` keeps autosaves, recent files and preferences."""

    reported = Signal(str, str)
    """Level and sentence of an incident, from any thread."""
    learn_wanted = Signal(bool)
    """Learn mode on or off; True where a key did it, which may be held."""
    controllers_wanted = Signal(str)
    """The controllers' window, at a page ("" for the one it had)."""

    def __init__(self, session: Session, player: Playback, folder: Path) -> None:
        super().__init__()
        self.setWindowTitle("Segue")
        self.session, self.registry, self.player = session, session.registry, player
        self.folder = folder
        self.preferences = prefs.load(folder / "preferences.json")
        self.incidents = IncidentLog()
        self.jobs = Jobs(self)
        self.conductor = LiveController(session, player.worker, player.output.position_now, self)
        self.files = SessionFiles(session, folder, self)
        self.recordings = Recordings(
            self.registry, player.capture_thread, self.jobs, self.preferences, self
        )
        self.problem = ""  # why there is no engine
        self._frames = 0
        self._closed = False
        self._build()
        self.proportions = Proportions(self)
        self.desk = PromptActions(self)
        self.continuing = ContinueFromAudio(self)
        self.commands = Commands(self)
        self.stage = stage.StageMode(self)
        self._connect()
        self._frame_timer = QTimer(self)
        self._frame_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame_timer.setInterval(FRAME_MS)
        self._frame_timer.timeout.connect(self.frame)
        self._frame_timer.start()
        self._refresh_prompts()
        self._show_session()
        self._set_volume()
        self.resize(*USUAL)
        self.welcome.begin()
        # Nothing has the focus at first: the keys are the instrument's.
        self.setFocus()

    # -- building ------------------------------------------------------------------------------
    def _build(self) -> None:
        registry, session = self.registry, self.session
        self.top = TopBar(registry, self)
        self.spectrogram = SpectrogramView(self)
        self.back_to_now = BackToNowButton(self.spectrogram)
        self.mixer = PromptMixer(session, self)
        self.map_panel = MapPanel(session, self)
        self.scenes = ScenesPanel(session, self)
        self.recording = RecordingPanel(registry, self)
        self.transport = TransportPanel(registry, self)
        self.controls = ControlsPanel(registry, self)
        self.output = OutputPanel(registry, self)
        self.status = StatusBar(self)
        self.welcome = Welcome(self)
        self.views = QStackedWidget(self)
        self.views.addWidget(self.mixer)
        self.views.addWidget(self.map_panel)
        self.panels = arrange(self)
        centre = self.centre = self.panels.centre
        self.setCentralWidget(centre)
        self.setMinimumSize(*LEAST)
        try:
            suggestions = load_suggestions()
        except (OSError, ValueError) as error:
            suggestions = {}
            self.say("warning", f"The suggestions could not be read ({error}).")
        self.editor = PromptEditor(centre, suggestions)
        self.banner = Banner(centre)
        self.sheet = KeyboardSheet(centre)

    def _connect(self) -> None:
        worker, conductor = self.player.worker, self.conductor
        worker.block_ready.connect(self._block)
        worker.plan_rewritten.connect(self.spectrogram.rewritten)
        worker.marked.connect(lambda m: self.spectrogram.mark(m.position, m.kind, m.text or m.kind))
        worker.status_changed.connect(self._status)
        worker.incident.connect(lambda i: self.say(i.level, i.sentence))
        worker.engine_failed.connect(self._engine_failed)
        conductor.engine_known.connect(self._engine_known)
        conductor.mix_changed.connect(self._show_mix)
        conductor.styles_changed.connect(self.show_styles)
        conductor.said.connect(self.say)
        conductor.scenes_moved.connect(self._show_scenes)
        conductor.notes_moved.connect(self.controls.show_notes)
        self.files.said.connect(self.say)
        self.files.asked.connect(self.banner.ask)
        self.files.renamed.connect(self._show_session)
        self.recordings.said.connect(self.say)
        self.reported.connect(self.say)
        self.player.output.on_event = lambda event: self.reported.emit(event.level, event.sentence)
        self.mixer.edit_wanted.connect(self.desk.edit)
        self.map_panel.map.edit_wanted.connect(self.desk.edit)
        self.mixer.add_wanted.connect(self.desk.add)
        self.mixer.menu_wanted.connect(lambda n, position: open_menu(self, n, position))
        self.mixer.sound_dropped.connect(self.desk.use_sound)
        self.mixer.trouble.connect(lambda sentence: self.say("info", sentence))
        self.editor.confirmed.connect(self.desk.confirm)
        self.editor.sound_chosen.connect(self.desk.use_sound)
        self.spectrogram.go_to.connect(self._go_to)
        self.spectrogram.selected.connect(self._select)
        self.spectrogram.panned.connect(self.back_to_now.setVisible)
        self.back_to_now.clicked.connect(self.spectrogram.show_now)
        self.top.session.clicked.connect(self._session_menu)
        self.top.undo.clicked.connect(lambda: self.registry.trigger("edit.undo"))
        self.top.redo.clicked.connect(lambda: self.registry.trigger("edit.redo"))
        self.top.log.clicked.connect(self.open_log)
        self.top.settings.clicked.connect(self.commands.settings)
        self.top.keys.clicked.connect(self.sheet.open_sheet)
        self.top.learn.clicked.connect(lambda: self.learn_wanted.emit(False))
        self.top.controllers.clicked.connect(lambda: self.controllers_wanted.emit(""))
        self.top.stage.clicked.connect(lambda: self.registry.toggle("stage"))
        self._unsubscribes = [
            self.registry.subscribe(self._on_change),
            self.session.subscribe(self._on_topic),
        ]
        self.registry.error = lambda name, error: self.say("error", f"{name}: {error}")

    # -- sixty times a second ------------------------------------------------------------------
    def frame(self) -> None:
        """Draw what moves."""
        self._frames += 1
        if self.isMinimized():
            return
        playhead = self.player.output.position_now()
        self.conductor.frame()
        self.stage.frame()
        self.spectrogram.frame(playhead)
        if self._frames % 2 == 0:
            audio = self.player.output.status()
            self.output.master.set_levels(audio.peak, audio.hold, audio.rms, audio.limited)
        if self.conductor.morph is not None and self._frames % 4 == 0:
            self._show_scenes()
        if self._frames % 12 == 0:
            self.recording.show_recording(self.recordings.recorded_seconds())
            self.recording.show_capture(
                self.recordings.kept_seconds(), self.recordings.selected_seconds()
            )
            self.status.tick()
            self.welcome.tick()
            self.proportions.apply(self.stage.on)  # the welcome may have gone

    # -- from the worker -----------------------------------------------------------------------
    def _block(self, report: Any) -> None:
        self.spectrogram.block(report.position, report.samples, report.score)
        if report.score is not None:
            tempo, key = report.score.tempo, report.score.key
            if tempo is not None:
                self.controls.set_model_choice("tempo", f"{tempo:.0f}")
            if key is not None:
                self.controls.set_model_choice("key", key)

    def _status(self, status: Any) -> None:
        self.status.show_status(status)
        # A lost engine stops by itself; the key must not say that it plays.
        if status.state in ("failed", "stopped") and self.registry.get("transport.play"):
            self.registry.set("transport.play", False, "worker")

    def _engine_known(self, info: Any) -> None:
        self.controls.show_available()
        self.continuing.set_can(info.continues_audio)
        for name in self.controls.knobs:
            value = info.defaults.get(catalogue.CONTROL_OF[name])
            words = "" if value is None else self.registry[name].text(value)
            self.controls.set_model_choice(name, words)
        self.say("info", f"{info.name} is ready. Press space to play.")

    def _engine_failed(self, sentence: str) -> None:
        """There will be no music: that must not pass by in the status line."""
        self.problem = sentence
        self.say("error", sentence)
        self.banner.ask(
            f"No engine: {sentence}",
            (("Show the log", self.open_log), ("Put away", lambda: None)),
        )
        self.registry.set("transport.play", False, "worker")

    def say(self, level: str, sentence: str) -> None:
        """Show a sentence, and keep what matters in the log."""
        if hasattr(self, "status"):
            self.status.say(level, sentence)
        if level != "info":
            self.incidents.add(time.time(), level, sentence)

    # -- from the session ----------------------------------------------------------------------
    def _on_topic(self, topic: str) -> None:
        if topic == "prompts":
            self._refresh_prompts()
        elif topic in ("scenes", "moments"):
            self.scenes.grid.refresh()
        self._show_session()

    def _on_change(self, change: Change) -> None:
        name = change.name
        if name == "view":
            self.views.setCurrentIndex(0 if self.registry.get("view") == "mixer" else 1)
        elif name == "stage":
            self.stage.set(bool(self.registry.get("stage")))
        elif name == "transport.play" and change.value and self.problem:
            self.say("error", self.problem)
            self.registry.set("transport.play", False, "worker")
        elif name == "mixer.master":
            self._set_volume()

    def _set_volume(self) -> None:
        parameter = self.registry["mixer.master"]
        level = self.registry.number("mixer.master")
        silent = level <= parameter.low
        self.player.output.set_volume(0.0 if silent else 10.0 ** (level / 20.0))

    def _refresh_prompts(self) -> None:
        self.mixer.refresh()
        self.proportions.apply(self.stage.on)
        self.map_panel.map.refresh()
        self.show_styles()
        self._show_mix()
        self.desk.draw_outlines()

    def _show_mix(self) -> None:
        shares = self.session.shares()
        self.mixer.set_shares(shares)
        self.map_panel.map.set_shares(shares)

    def show_styles(self) -> None:
        for strip, prompt in zip(self.mixer.strips, self.session.prompts, strict=False):
            state, problem = self.conductor.styles.state(prompt)
            if state == "waiting" and not self.conductor.acting:
                state = "empty"  # no engine yet; the status line says so
            strip.set_state(state, problem)
            strip.set_peaks(self.desk.outlines.get(prompt.audio or "", ()))

    def _show_scenes(self) -> None:
        conductor = self.conductor
        waiting = conductor.waiting_scene[0] if conductor.waiting_scene is not None else None
        morphing = conductor.morph[0] if conductor.morph is not None else None
        self.scenes.grid.show_state(
            conductor.active_scene, waiting, morphing, conductor.morph_progress
        )

    def _show_session(self) -> None:
        self.top.show_session(self.files.name, self.session.unsaved)
        self.top.undo.setEnabled(self.session.can_undo)
        self.top.redo.setEnabled(self.session.can_redo)

    # -- spectrogram ---------------------------------------------------------------------------
    def _go_to(self, position: int) -> None:
        self.conductor.stay()
        self.player.worker.go_to(position)
        self.registry.set("transport.play", True)

    def _select(self, span: tuple[int, int] | None) -> None:
        self.recordings.selection = span

    # -- commands ------------------------------------------------------------------------------
    def _session_menu(self) -> None:
        button = self.top.session
        self.files.popup(button.mapToGlobal(button.rect().bottomLeft()), self.continuing.commands())

    def open_log(self) -> None:
        dialog = LogDialog(self.incidents, self.say, self, head=self.status.report())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def apply_preferences(self, new: prefs.Preferences) -> None:
        """Device and formats from the settings; the music goes on."""
        changed = audio_settings(new) != audio_settings(self.preferences)
        self.preferences = self.recordings.preferences = new
        try:
            prefs.save(self.folder / "preferences.json", new)
            if changed:
                self.player.output.apply(audio_settings(new))
        except SegueError as error:
            self.say("error", str(error))

    def control_widgets(self) -> list[ParameterWidget]:
        """Every control that can be mapped, for learn mode."""
        return self.findChildren(ParameterWidget)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shortcut = shortcut_of(event)
        if shortcut is None or (event.isAutoRepeat() and shortcut.action not in Commands.REPEAT):
            event.ignore()
        elif self.stage.on and not shortcut.stage:
            self.say("info", "Locked on stage; F11 leaves stage mode.")
        else:
            self.commands.act(shortcut.action)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if hasattr(self, "stage"):
            self.proportions.apply(self.stage.on)
        if self.sheet.isVisible():
            self.sheet.setGeometry(self.centre.rect())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange and hasattr(self, "stage"):
            self.stage.state_changed()

    # -- the end -------------------------------------------------------------------------------
    def closeEvent(self, event: QCloseEvent) -> None:
        if self._closed:
            return
        if not self.stage.may_close() or not self.files.may_leave():
            event.ignore()
            return
        self.shut(asked=True)
        event.accept()

    def shut(self, *, asked: bool = False) -> None:
        """End everything that runs, without asking; `asked`: whether what is unsaved may go."""
        if self._closed:
            return
        self._closed = True
        self._frame_timer.stop()
        self.map_panel.map.stop()
        self.mixer.paced.stop()
        self.stage.end()
        self.conductor.close()
        self.recordings.close()
        for unsubscribe in self._unsubscribes:
            unsubscribe()
        self.jobs.wait()
        self.player.output.on_event = None
        self.player.stop()
        self.files.close(asked=asked)
