"""Which map a controller uses: its own, the one that was chosen, or one that is offered. GUI lane.

A ready-made map is never put on a controller unasked: it is offered, and the answer is remembered
in the settings (the map's name, or '' for "no, thank you"). Maps that were changed are written
some seconds later, and at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.control.midi.library import Library, default_map
from app.control.midi.mapping import ControllerMap
from app.control.midi.ports import plain_name
from app.control.settings import ControlSettings
from app.parameters.registry import Registry
from models.errors import SegueError

SAVE_AFTER: Final = 2.0
"""Seconds after the last change of a map until it is written."""


class MapStore:
    """incident: told level and sentence. `offers`: port -> name of the map that waits for yes."""

    def __init__(
        self, registry: Registry, folder: Path, incident: Callable[[str, str], None]
    ) -> None:
        self.library = Library(registry, folder)
        self.offers: dict[str, str] = {}
        self._incident = incident
        self._unsaved: dict[str, tuple[float, ControllerMap]] = {}
        for problem in self.library.problems:
            incident("warning", problem)

    def map_for(self, port: str, settings: ControlSettings) -> ControllerMap:
        """The map to use for a port from now on; notes an offer where one is to be made."""
        own = self._own(port)
        if own is not None:
            return own
        chosen = settings.maps.get(port)
        if chosen is not None:
            return self.library.ready_made.get(chosen, default_map(port))
        offered = self.library.find_ready_made(plain_name(port))
        if offered is None:
            return default_map(port)
        self.offers[port] = offered.name
        # Until it is answered the pads of a controller are no keys that play.
        return replace(default_map(port), keyboard=offered.keyboard)

    def _own(self, port: str) -> ControllerMap | None:
        try:
            return self.library.user_map(port)
        except SegueError as error:
            self._incident("warning", f"{error} It was put aside.")
            self.library.set_aside(port)
            return None

    def changed(self, port: str, controller: ControllerMap, now: float) -> None:
        """To be written in a while (now: seconds)."""
        self._unsaved[port] = (now, controller)

    def save(self, now: float, *, everything: bool = False) -> None:
        """Write what has waited long enough."""
        for port, (since, controller) in list(self._unsaved.items()):
            if everything or now - since >= SAVE_AFTER:
                del self._unsaved[port]
                try:
                    self.library.save(port, controller)
                except SegueError as error:
                    self._incident("warning", str(error))
