"""Teach control: the dialog, its process, and what it gives way to."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.inference.status import WorkerStatus
from app.interfaces import WorkerProtocol
from app.session.document import SessionPrompt
from app.window.prompts.editor import PromptEditor
from app.window.teaching.dialog import TeachDialog
from app.window.teaching.giving_way import GivingWay
from app.window.teaching.process import TeachProcess, teach_arguments
from models.engine.sounds import PREFIX
from models.teaching.plan import CoursePlan, CourseProgress


class TeachControl(QObject):
    """What the window does to teach sounds.

    Args:
        editor: the prompt editor, which offers the sounds and asks for the dialog.
        worker: tells how much of the plan is ready.
        say: shows a level and a sentence.
        window: that the dialog belongs to.

    """

    def __init__(
        self,
        editor: PromptEditor,
        worker: WorkerProtocol,
        say: Callable[[str, str], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._editor, self._worker, self._say, self._window = editor, worker, say, window
        self._name = ""
        self.dialog: TeachDialog | None = None
        self.process = TeachProcess(self)
        self._way = GivingWay()
        self._prompt = 0
        editor.teach_requested.connect(self.open)
        worker.status_changed.connect(self._give_way)
        self.process.progressed.connect(self._progress)
        self.process.ended.connect(self._ended)

    def open(self, n: int = 0) -> None:
        """Show the dialog; n: the prompt strip that the finished sound may go to."""
        self._prompt = n or self._prompt or 1
        if self.dialog is None:
            dialog = self.dialog = TeachDialog(self._window)
            dialog.started.connect(self._start)
            dialog.stopped.connect(self.process.stop)
            dialog.used.connect(lambda text: self._editor.confirmed.emit(self._prompt, text))
        self.dialog.show()
        self.dialog.raise_()

    def close(self) -> None:
        """End the process; what it has learned is kept."""
        self.process.close()

    def _start(self, plan: CoursePlan | None, name: str) -> None:
        self._name = " ".join(name.split()).casefold()
        self.process.start(teach_arguments(plan, name))
        self.process.set_waiting(self._way.waiting)
        if self.dialog is not None:
            self.dialog.show_running(True)

    def _give_way(self, status: WorkerStatus) -> None:
        playing = status.state in ("playing", "holding")
        self._way = self._way.after(playing, status.plan_seconds, status.audio.underruns)
        self.process.set_waiting(self._way.waiting)

    def _progress(self, progress: CourseProgress) -> None:
        if self.dialog is not None:
            self.dialog.show_progress(progress, self._way.waiting)
        if progress.stage == "done":
            # The engine reads the file again, where a prompt had the sound before.
            text = f"{PREFIX}{self._name}"
            self._worker.embed_text(SessionPrompt(text).style_key, text)
            self._say("info", "The sound is learned: it is among the prompts.")

    def _ended(self, sentence: str) -> None:
        if self.dialog is not None:
            self.dialog.show_ended(sentence)
        if sentence:
            self._say("warning", sentence)
