"""Settings of the score's MIDI output, as stored in `control.json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.control.score.messages import PartRoute, default_routes
from models.errors import SegueError
from models.music.score import PARTS

MAX_DELAY_MS: Final = 500


@dataclass(frozen=True)
class ScoreSettings:
    """Which notes go where. on: whether notes are sent. delay_ms: by which they are later than the
    sound, less than nothing for earlier. programs: General MIDI programs are sent too. routes: by
    part. clock: MIDI clock is sent, to the port with the plain name clock_port, '' for the virtual
    one.
    """

    on: bool = False
    delay_ms: float = 0.0
    programs: bool = True
    routes: dict[str, PartRoute] = field(default_factory=default_routes)
    clock: bool = False
    clock_port: str = ""

    def __post_init__(self) -> None:
        if not abs(self.delay_ms) <= MAX_DELAY_MS:
            raise SegueError(
                f"The score's MIDI delay is {self.delay_ms}; give one from -{MAX_DELAY_MS} to "
                f"{MAX_DELAY_MS} milliseconds."
            )

    @property
    def ports(self) -> tuple[str, ...]:
        """Plain names of the ports that are used, '' for the virtual one."""
        used = {route.port for route in self.routes.values() if route.on and self.on}
        return tuple(sorted(used | ({self.clock_port} if self.clock else set())))


def read_score(data: object) -> ScoreSettings:
    """The settings in parsed JSON. Raises SegueError or TypeError where they are damaged."""
    if not isinstance(data, dict):
        raise TypeError("no table")
    routes = default_routes()
    for part, entry in data.get("routes", {}).items():
        if part in PARTS:
            routes[part] = PartRoute(
                _bool(entry["on"]), _int(entry["channel"]), _text(entry["port"])
            )
    delay = data.get("delay_ms", 0.0)
    if isinstance(delay, bool) or not isinstance(delay, int | float):
        raise TypeError("no number")
    return ScoreSettings(
        _bool(data.get("on", False)),
        float(delay),
        _bool(data.get("programs", True)),
        routes,
        _bool(data.get("clock", False)),
        _text(data.get("clock_port", "")),
    )


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("no bool")
    return value


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no int")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
