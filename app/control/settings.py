"""Settings of controllers: MIDI ports, maps, clock and OSC.

OSC listens on the loopback interface unless another address is set.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Final, Literal

from app.control.score.settings import ScoreSettings, read_score
from app.control.transport.sync import MODES
from app.files import write_text
from models.errors import SegueError

FILE_NAME: Final = "control.json"
CLOCK_MODES: Final = ("off", "follow", "send")
DEFAULT_OSC_PORT: Final = 9010
"""Not 9000 or 9001, which many programs use."""

ClockMode = Literal["off", "follow", "send"]


@dataclass(frozen=True)
class ControlSettings:
    """Settings of controllers and OSC, as stored in `control.json`.

    api: "auto" or one of `rtmidi_ports.APIS`. ignored: inputs that are not opened (plain names).
    silent: outputs that get neither feedback nor clock. maps: port -> name of its map ("" for
    none of the ready-made ones). clock: "follow" the clock of `clock_port` ("" is any), or "send"
    to it. transport: of `transport.sync.MODES`. osc_host: address of the interface to listen on.
    score: which notes are sent where.
    """

    api: str = "auto"
    ignored: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    maps: dict[str, str] = field(default_factory=dict)
    clock: ClockMode = "off"
    clock_port: str = ""
    transport: str = MODES[0]
    osc: bool = True
    osc_host: str = "127.0.0.1"
    osc_port: int = DEFAULT_OSC_PORT
    score: ScoreSettings = field(default_factory=ScoreSettings)

    def __post_init__(self) -> None:
        if self.clock not in CLOCK_MODES:
            raise SegueError(f"The clock is '{self.clock}'; choose off, follow or send.")
        if self.transport not in MODES:
            raise SegueError(
                f"The transport is '{self.transport}'; choose one of {', '.join(MODES)}."
            )
        if not 1 <= self.osc_port <= 65535:
            raise SegueError(f"{self.osc_port} is no port for OSC; give one from 1 to 65535.")
        try:
            ipaddress.ip_address(self.osc_host)
        except ValueError:
            raise SegueError(
                f"'{self.osc_host}' is no address to listen on; give one such as 127.0.0.1, or "
                "that of the network card that OSC may come from."
            ) from None

    @property
    def osc_is_local(self) -> bool:
        return ipaddress.ip_address(self.osc_host).is_loopback

    def with_map(self, port: str, name: str) -> ControlSettings:
        return replace(self, maps={**self.maps, port: name})


def load(folder: Path) -> ControlSettings:
    """Load the settings; defaults where there is no file. Raises SegueError for a damaged one."""
    path = folder / FILE_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ControlSettings()
    except (OSError, ValueError, RecursionError) as error:
        raise SegueError(
            f"The settings of control surfaces ('{FILE_NAME}') could not be read ({error}); "
            "the defaults are used."
        ) from error
    return _read(data)


def _read(data: object) -> ControlSettings:
    damaged = SegueError(f"The settings in '{FILE_NAME}' are damaged; the defaults are used.")
    if not isinstance(data, dict):
        raise damaged
    known = {each.name for each in fields(ControlSettings)}
    given = {name: value for name, value in data.items() if name in known}
    types: dict[str, type] = dict.fromkeys(
        ("api", "clock_port", "osc_host", "clock", "transport"), str
    )
    for name, value in given.items():
        if name in types and not isinstance(value, types[name]):
            raise damaged
        if name == "osc" and not isinstance(value, bool):
            raise damaged
        if name == "osc_port" and (isinstance(value, bool) or not isinstance(value, int)):
            raise damaged
    ignored, silent = given.get("ignored", []), given.get("silent", [])
    maps = given.get("maps", {})
    if not isinstance(ignored, list) or not isinstance(silent, list) or not isinstance(maps, dict):
        raise damaged
    if not all(isinstance(text, str) for text in (*ignored, *silent, *maps, *maps.values())):
        raise damaged
    if "score" in given:
        try:
            given["score"] = read_score(given["score"])
        except (SegueError, TypeError, KeyError, AttributeError):
            raise damaged from None
    lists = {"ignored": tuple(ignored), "silent": tuple(silent), "maps": dict(maps)}
    return ControlSettings(**{**given, **lists})


def save(folder: Path, settings: ControlSettings) -> None:
    """Save the settings. Raises SegueError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegueError(
            f"The folder for settings could not be made ({error.strerror})."
        ) from error
    write_text(folder / FILE_NAME, json.dumps(asdict(settings), indent=1) + "\n")
