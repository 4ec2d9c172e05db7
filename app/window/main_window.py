"""Main window: holds the panels, and passes on what happens between them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QMainWindow

from app.inference.messages import BlockReport, TimelineMark
from app.inference.status import WorkerStatus
from app.live_controller import LiveController
from app.parameters import catalogue
from app.parameters.registry import Change
from app.playback import Playback, apply_audio, audio_settings
from app.session import preferences as prefs
from app.session.incident_log import IncidentLog
from app.session.session import Session
from app.window.commands import REPEATABLE, Commands
from app.window.dialogs.incident_log import LogDialog
from app.window.dialogs.settings import open_settings
from app.window.files_in import FilesIn
from app.window.frames import Frames
from app.window.input_control import InputControl
from app.window.jobs import Jobs
from app.window.layout import build_widgets
from app.window.prompts.actions import PromptActions
from app.window.prompts.editor import find_suggestions
from app.window.proportions import DEFAULT_SIZE, MIN_SIZE, Proportions
from app.window.recordings import Recordings
from app.window.session_files import SessionFiles
from app.window.shortcuts import shortcut_of
from app.window.stage.stage_mode import StageMode
from app.window.widgets.parameter_widget import ParameterWidget
from models.engine.interface import EngineInfo
from models.errors import SegueError


class MainWindow(QMainWindow):
    """The instrument's window.

    Args:
        session: prompts, values and scenes that it shows and edits.
        playback: worker, output and capture; stopped by `shut`.
        folder: keeps autosaves, recent files and preferences.

    """

    reported = Signal(str, str)
    """Level and sentence of an incident, from any thread."""
    learn_requested = Signal(bool)
    """Learn mode on or off; True where a key did it, which may be held."""
    controllers_requested = Signal(str)
    """The controllers' window, at a page ("" for the one it had)."""

    def __init__(self, session: Session, playback: Playback, folder: Path) -> None:
        super().__init__()
        self.setWindowTitle("Segue")
        self.session, self.registry, self.playback = session, session.registry, playback
        self.folder = folder
        self.preferences = prefs.load(folder / "preferences.json")
        self.incidents = IncidentLog()
        self.jobs = Jobs(self)
        self.live = LiveController(session, playback.worker, playback.output.position_now, self)
        self.files = SessionFiles(session, folder, self)
        kept = playback.capture
        self.recordings = Recordings(self.registry, kept, self.jobs, self.preferences, self)
        self.engine_problem = ""
        self._closed = False
        self._build()
        self._connect()
        self.frames = Frames(
            self, self.widgets, playback.output, self.live, self.stage, self.input,
            self.recordings, self.proportions,
        )  # fmt: skip
        self._refresh_prompts()
        self._show_session()
        self._set_volume()
        self.resize(*DEFAULT_SIZE)
        if not self.preferences.welcomed:
            self.welcome.begin(self.registry)
        # Nothing has the focus at first: the keys are the instrument's.
        self.setFocus()

    # -- building --------------------------------------------------------------------------------
    def _build(self) -> None:
        suggestions, problem = find_suggestions()
        widgets = self.widgets = build_widgets(self.session, suggestions, self)
        self.top, self.welcome, self.spectrogram = widgets.top, widgets.welcome, widgets.spectrogram
        self.mixer, self.map_panel, self.scenes = widgets.mixer, widgets.map_panel, widgets.scenes
        self.recording, self.transport = widgets.recording, widgets.transport
        self.controls, self.output, self.status = widgets.controls, widgets.output, widgets.status
        self.editor, self.banner, self.sheet = widgets.editor, widgets.banner, widgets.sheet
        self.centre = widgets.centre
        self.setCentralWidget(self.centre)
        self.setMinimumSize(*MIN_SIZE)
        self.proportions = Proportions(self, widgets)
        self.stage = StageMode(self, widgets, self.registry, self.jobs, self.proportions.apply)
        self.prompt_actions = PromptActions(
            self.session,
            self.editor,
            self.mixer,
            self.map_panel.map,
            self.jobs,
            self.live.retry_style,
            lambda: self.stage.on,
            self,
        )
        self.files_in = FilesIn(
            self.playback.worker, self.live, widgets, self.folder, lambda: self.stage.on, self
        )
        self.input = InputControl(
            self.registry, self.playback.output, self.playback.worker, self.live, widgets.input,
            self.playback.follow, self.playback.memory, self.spectrogram.plot.input_band, self,
        )  # fmt: skip
        self.commands = Commands(
            self.registry,
            {
                "window.add": self.prompt_actions.add,
                "window.view": lambda: self.registry.nudge("view", 1),
                "window.sheet": self.sheet.open_sheet,
                "window.zoom_in": lambda: self.spectrogram.zoom(-1),
                "window.zoom_out": lambda: self.spectrogram.zoom(1),
                "window.louder": lambda: self.registry.nudge("mixer.master", 1),
                "window.quieter": lambda: self.registry.nudge("mixer.master", -1),
                "window.settings": self.open_settings,
                "window.sketch": self.input.sketches.open,
                "window.learn": lambda: self.learn_requested.emit(True),
                "window.controllers": lambda: self.controllers_requested.emit(""),
                "window.new": self.files.new,
                "window.open": self.files.open_dialog,
                "window.save": self.files.save,
                "window.save_as": self.files.save_dialog,
            },
            self._focus_strip,
        )
        if problem:
            self.say("warning", problem)

    def _connect(self) -> None:
        worker, live, top = self.playback.worker, self.live, self.top
        worker.block_ready.connect(self._block)
        worker.plan_rewritten.connect(self.spectrogram.show_rewrite)
        worker.marked.connect(self._mark)
        worker.status_changed.connect(self._status)
        self.status.incident.connect(self.say)
        worker.incident.connect(lambda incident: self.say(incident.level, incident.sentence))
        worker.engine_failed.connect(self._engine_failed)
        live.engine_ready.connect(self._engine_ready)
        live.mix_changed.connect(self._show_mix)
        live.styles_changed.connect(self._show_styles)
        live.scenes.changed.connect(lambda: self.scenes.show_launcher(live.scenes))
        live.notes_changed.connect(self.controls.show_notes)
        for source in (live, self.prompt_actions, self.files_in, self.stage, self.welcome):
            source.message.connect(self.say)
        self.files.message.connect(self.say)
        self.files.question.connect(self.banner.ask)
        self.files.renamed.connect(self._show_session)
        self.recordings.message.connect(self.say)
        self.recordings.taken.connect(self.recording.take.show_take)
        self.recording.stems.clicked.connect(self.recordings.cancel_stems)
        self.reported.connect(self.say)
        self.playback.output.on_event = lambda e: self.reported.emit(e.level, e.sentence)
        self.prompt_actions.outlines_changed.connect(self._show_styles)
        self.mixer.error.connect(lambda sentence: self.say("info", sentence))
        self.editor.confirmed.connect(lambda n, text: self.welcome.done("prompt"))
        self.spectrogram.seek_requested.connect(self._go_to)
        self.spectrogram.selection_changed.connect(self._select)
        self.spectrogram.panned.connect(self.widgets.back_to_now.setVisible)
        self.widgets.back_to_now.clicked.connect(self.spectrogram.show_now)
        self.welcome.dismissed.connect(self._welcomed)
        top.session.clicked.connect(self._session_menu)
        top.undo.clicked.connect(lambda: self.registry.trigger("edit.undo"))
        top.redo.clicked.connect(lambda: self.registry.trigger("edit.redo"))
        top.log.clicked.connect(self.open_log)
        top.settings.clicked.connect(self.open_settings)
        top.keys.clicked.connect(self.sheet.open_sheet)
        top.learn.clicked.connect(lambda: self.learn_requested.emit(False))
        top.controllers.clicked.connect(lambda: self.controllers_requested.emit(""))
        top.stage.clicked.connect(lambda: self.registry.toggle("stage"))
        self._unsubscribes = [
            self.registry.subscribe(self._on_change),
            self.session.subscribe(self._on_topic),
        ]
        self.registry.error = lambda name, error: self.say("error", f"{name}: {error}")

    # -- from the worker -------------------------------------------------------------------------
    def _block(self, report: BlockReport) -> None:
        self.spectrogram.add_block(report.position, report.samples, report.score)
        self.widgets.parts.add_block(report)
        if report.score is not None:
            tempo, key = report.score.tempo, report.score.key
            if tempo is not None:
                self.controls.set_model_choice("tempo", f"{tempo:.0f}")
            if key is not None:
                self.controls.set_model_choice("key", key)

    def _mark(self, mark: TimelineMark) -> None:
        self.spectrogram.add_mark(mark.position, mark.kind, mark.text or mark.kind)

    def _status(self, status: WorkerStatus) -> None:
        self.status.show_status(status)
        # A lost engine stops by itself; the key must not say that it plays.
        if status.state in ("failed", "stopped") and self.registry.get("transport.play"):
            self.registry.set("transport.play", False, "worker")

    def _engine_ready(self, info: EngineInfo) -> None:
        self.controls.show_available()
        self.widgets.parts.show_available()
        self.spectrogram.seekable = info.rewinds
        for name in self.controls.knobs:
            value = info.defaults.get(catalogue.CONTROL_OF.get(name, name))
            text = "" if value is None else self.registry[name].text(value)
            self.controls.set_model_choice(name, text)
        self.say("info", f"{info.name} is ready. Press space to play.")

    def _engine_failed(self, sentence: str) -> None:
        """There will be no music: that must not pass by in the status line."""
        self.engine_problem = sentence
        self.say("error", sentence)
        self.banner.ask(
            f"No engine: {sentence}",
            (("Show the log", self.open_log), ("Put away", lambda: None)),
        )
        self.registry.set("transport.play", False, "worker")

    def say(self, level: str, sentence: str) -> None:
        """Show a sentence in the status bar; warnings and errors go to the incident log too."""
        self.status.show_message(level, sentence)
        if level != "info":
            self.incidents.add(time.time(), level, sentence)

    # -- from the session ------------------------------------------------------------------------
    def _on_topic(self, topic: str) -> None:
        if topic == "prompts":
            self._refresh_prompts()
        elif topic in ("scenes", "moments"):
            self.scenes.grid.refresh()
        self._show_session()

    def _on_change(self, change: Change) -> None:
        name = change.name
        if name == "view":
            self.widgets.views.setCurrentIndex(0 if self.registry.get("view") == "mixer" else 1)
        elif name == "stage":
            self.stage.set(bool(self.registry.get("stage")))
        elif name == "transport.play" and change.value and self.engine_problem:
            self.say("error", self.engine_problem)
            self.registry.set("transport.play", False, "worker")
        elif name == "mixer.master":
            self._set_volume()

    def _set_volume(self) -> None:
        level = self.registry.number("mixer.master")
        silent = level <= self.registry["mixer.master"].low
        self.playback.output.set_volume(0.0 if silent else 10.0 ** (level / 20.0))

    def _refresh_prompts(self) -> None:
        self.mixer.refresh()
        self.proportions.apply(self.stage.on)
        self.map_panel.map.refresh()
        self._show_styles()
        self._show_mix()
        self.prompt_actions.load_outlines()

    def _show_mix(self) -> None:
        shares = self.session.prompts.shares()
        self.mixer.set_shares(shares)
        self.map_panel.map.set_shares(shares)

    def _show_styles(self) -> None:
        for strip, prompt in zip(self.mixer.strips, self.session.prompts, strict=False):
            state, problem = self.live.styles.state(prompt)
            if state == "waiting" and not self.live.acting:
                state = "empty"  # no engine yet; the status line says so
            strip.set_state(state, problem)
            strip.set_peaks(self.prompt_actions.outlines.get(prompt.audio or "", ()))

    def _show_session(self) -> None:
        self.top.show_session(self.files.name, self.session.unsaved)
        self.top.undo.setEnabled(self.session.can_undo)
        self.top.redo.setEnabled(self.session.can_redo)

    # -- spectrogram -----------------------------------------------------------------------------
    def _go_to(self, position: int) -> None:
        self.live.stay()
        self.playback.worker.go_to(position)
        self.registry.set("transport.play", True)
        self.welcome.done("past")

    def _select(self, span: tuple[int, int] | None) -> None:
        self.recordings.selection = span

    # -- commands --------------------------------------------------------------------------------
    def _focus_strip(self, n: int) -> None:
        if n <= len(self.session.prompts):
            self.registry.set("view", "mixer")
            self.mixer.strips[n - 1].knob.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _session_menu(self) -> None:
        button = self.top.session
        place = button.mapToGlobal(button.rect().bottomLeft())
        self.files.popup(place, self.files_in.menu_entries())

    def open_log(self) -> None:
        """Open the incident log."""
        dialog = LogDialog(self.incidents, self.say, self, head=self.status.report())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def open_settings(self) -> None:
        """Open the settings."""
        dialog = open_settings(self.preferences, self.playback.output, self.jobs, self.say, self)
        dialog.applied.connect(self.apply_preferences)
        dialog.controllers_requested.connect(lambda: self.controllers_requested.emit("Ports"))

    def apply_preferences(self, new: prefs.Preferences) -> None:
        """Take over audio device and file formats from the settings; the music goes on."""
        changed = audio_settings(new) != audio_settings(self.preferences)
        self.preferences = self.recordings.preferences = new
        try:
            prefs.save(self.folder / "preferences.json", new)
            if changed:
                apply_audio(self.playback, new)
        except SegueError as error:
            self.say("error", str(error))

    def _welcomed(self) -> None:
        self.apply_preferences(replace(self.preferences, welcomed=True))

    def control_widgets(self) -> list[ParameterWidget]:
        """Every widget whose parameter can be mapped, for learn mode."""
        return self.findChildren(ParameterWidget)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shortcut = shortcut_of(event)
        if shortcut is None or (event.isAutoRepeat() and shortcut.action not in REPEATABLE):
            event.ignore()
        elif self.stage.on and not shortcut.stage:
            self.say("info", "Locked on stage; F11 leaves stage mode.")
        else:
            self.commands.run(shortcut.action)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.proportions.apply(self.stage.on)
        if self.sheet.isVisible():
            self.sheet.setGeometry(self.centre.rect())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.WindowStateChange:
            self.stage.state_changed()

    # -- the end ---------------------------------------------------------------------------------
    def closeEvent(self, event: QCloseEvent) -> None:
        if self._closed:
            return
        if not self.stage.may_close() or not self.files.may_leave():
            event.ignore()
            return
        self.shut(confirmed=True)
        event.accept()

    def shut(self, *, confirmed: bool = False) -> None:
        """End everything that runs, without a question.

        Args:
            confirmed: the performer has agreed that what is unsaved may go.

        """
        if self._closed:
            return
        self._closed = True
        self.frames.stop()
        self.map_panel.map.stop()
        self.mixer.throttle.stop()
        self.stage.end()
        self.live.close()
        self.input.close()
        self.files_in.close()
        self.recordings.close()
        for unsubscribe in self._unsubscribes:
            unsubscribe()
        self.jobs.wait()
        self.playback.output.on_event = None
        self.playback.stop()
        self.files.close(discard_unsaved=confirmed)
