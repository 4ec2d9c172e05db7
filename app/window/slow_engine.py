"""Offer of a deeper plan, or of another engine, where the engine is too slow for the machine."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from app.inference.speed import DEEP_PLAN, slow_engine
from app.inference.status import WorkerStatus
from app.interfaces import WorkerProtocol
from app.window.widgets.banner import Banner
from models.registry import DEFAULT_ENGINE


class SlowEngineOffer(QObject):
    """Asks once, as soon as the plan's first blocks show the engine's speed: before it plays.

    choose_default: makes the default engine that of the next start.
    """

    def __init__(
        self,
        worker: WorkerProtocol,
        banner: Banner,
        choose_default: Callable[[], None],
        say: Callable[[str, str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._worker, self._banner = worker, banner
        self._choose_default, self._say = choose_default, say
        self._asked = False
        worker.status_changed.connect(self._look)

    def _look(self, status: WorkerStatus) -> None:
        slow = None if self._asked else slow_engine(status)
        if slow is None:
            return
        self._asked = True
        self._say("warning", slow.sentence)
        answers = [(f"Plan {DEEP_PLAN:.0f} s ahead", self._deepen), ("Leave it", lambda: None)]
        if slow.name != DEFAULT_ENGINE:
            answers.insert(1, (f"{DEFAULT_ENGINE} next time", self._change))
        self._banner.ask(slow.sentence, answers)

    def _deepen(self) -> None:
        self._worker.set_plan_seconds(DEEP_PLAN)
        self._say("info", f"The plan grows to {DEEP_PLAN:.0f} s: play when it is full.")

    def _change(self) -> None:
        self._choose_default()
        self._say("info", f"{DEFAULT_ENGINE} plays from the next start of Segue on.")
