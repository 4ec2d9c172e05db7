"""Library of controller maps: ready-made ones, and the performer's own.

A performer's map is stored under the name of its port and has priority over a ready-made one. A
damaged map is reported and does not affect the others.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from app.control.midi import map_file
from app.control.midi.decode import ControlKind
from app.control.midi.mapping import ControllerElement, ControllerMap, Keyboard, Mapping
from app.files import write_text
from app.parameters.registry import Registry
from models.errors import SegueError

READY_MADE: Final = Path(__file__).resolve().parents[3] / "resources" / "controllers"
FOLDER: Final = "controllers"


def default_map(port: str) -> ControllerMap:
    """Map of a port that no map fits: keys play notes, program changes recall scenes."""
    kind: ControlKind = "program"
    program = ControllerElement("program", "Program change", kind, "program", shape="button")
    return ControllerMap(
        name=port,
        ports=(port,),
        controls=(program,),
        mappings=(Mapping("program", "scene.*.recall"),),
        keyboard=Keyboard(),
    )


class Library:
    """Controller maps. folder: of the performer's maps, made when the first one is saved."""

    def __init__(self, registry: Registry, folder: Path, ready_made: Path = READY_MADE) -> None:
        self._registry = registry
        self.folder = folder / FOLDER
        self._ready_made = ready_made
        self.problems: list[str] = []
        self.ready_made: dict[str, ControllerMap] = {}
        self.reload()

    def reload(self) -> None:
        """Read the ready-made maps again; `problems` gets a sentence for each damaged one."""
        self.problems = []
        self.ready_made = {}
        for path in sorted(self._ready_made.glob(f"*{map_file.SUFFIX}")):
            try:
                found = map_file.load(path, self._registry)
            except SegueError as error:
                self.problems.append(str(error))
                continue
            self.ready_made[found.name] = found

    def find_ready_made(self, port: str) -> ControllerMap | None:
        """The ready-made map that fits a port, if any."""
        return next((found for found in self.ready_made.values() if found.matches_port(port)), None)

    def path_of(self, port: str) -> Path:
        """File of the performer's map for a port."""
        slug = re.sub(r"[^a-z0-9]+", "-", port.casefold()).strip("-") or "port"
        return self.folder / f"{slug}{map_file.SUFFIX}"

    def user_map(self, port: str) -> ControllerMap | None:
        """The performer's map for a port, if there is one. Raises SegueError for a damaged map."""
        path = self.path_of(port)
        return map_file.load(path, self._registry) if path.exists() else None

    def save(self, port: str, controller: ControllerMap) -> None:
        """Save a map for a port. Raises SegueError where the folder cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(
                f"The folder for maps could not be made ({error.strerror})."
            ) from error
        write_text(self.path_of(port), map_file.write(controller))

    def set_aside(self, port: str) -> None:
        """Rename a damaged map, so that it is not overwritten."""
        path = self.path_of(port)
        try:
            path.replace(path.with_suffix(".damaged"))
        except OSError:
            return
