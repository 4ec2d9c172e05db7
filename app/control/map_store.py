"""Choice and storage of controller maps: the performer's, the chosen, or one that is offered.

A ready-made map is never used unasked: it is offered, and the answer is stored in the settings
(the map's name, or '' where it was rejected). Changed maps are saved after some seconds.
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
"""Seconds from the last change of a map until it is saved."""


class MapStore:
    """Maps of all ports. incident: gets level and sentence. offers: port -> name of offered map."""

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
        """The map to use for a port; adds an offer where a ready-made map matches."""
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
        # Until the offer is answered, the pads of a controller must not play notes.
        return replace(default_map(port), keyboard=offered.keyboard)

    def _own(self, port: str) -> ControllerMap | None:
        try:
            return self.library.user_map(port)
        except SegueError as error:
            self._incident("warning", f"{error} It was put aside.")
            self.library.set_aside(port)
            return None

    def changed(self, port: str, controller: ControllerMap, now: float) -> None:
        """Save a changed map later. now: seconds."""
        self._unsaved[port] = (now, controller)

    def save(self, now: float, *, everything: bool = False) -> None:
        """Save changed maps that are old enough, or all."""
        for port, (since, controller) in list(self._unsaved.items()):
            if everything or now - since >= SAVE_AFTER:
                del self._unsaved[port]
                try:
                    self.library.save(port, controller)
                except SegueError as error:
                    self._incident("warning", str(error))
