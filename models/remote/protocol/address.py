"""Addresses of engines elsewhere: remote://[TOKEN@]HOST:PORT/ENGINE[?format=FORMAT]."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from models.errors import SegueError
from models.remote.protocol.audio import FORMATS

SCHEME: Final = "remote"
PREFIX: Final = f"{SCHEME}://"
DEFAULT_PORT: Final = 7177
EXAMPLE: Final = f"{PREFIX}studio.local:{DEFAULT_PORT}/magenta-rt2-base"


@dataclass(frozen=True)
class RemoteAddress:
    """Address of an engine elsewhere.

    token: '' for the one of the environment or of the list of known servers. audio_format: of
    FORMATS, '' for what suits the line.
    """

    host: str
    port: int
    engine: str
    token: str = ""
    audio_format: str = ""

    @property
    def place(self) -> str:
        """Host and port, as they are written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def name(self) -> str:
        """The address without its token: the engine's name in the window, sessions and logs."""
        return f"{PREFIX}{self.place}/{self.engine}"

    @property
    def secure(self) -> bool:
        """Whether the line is encrypted: always, except on this machine."""
        return not is_loopback(self.host)

    @property
    def url(self) -> str:
        """Address of the WebSocket."""
        return f"{'wss' if self.secure else 'ws'}://{self.place}/{quote(self.engine)}"


def is_remote(name: str) -> bool:
    """Whether an engine's name is the address of an engine elsewhere."""
    return name.startswith(PREFIX)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> RemoteAddress:
    """The address that a name holds.

    Raises:
        SegueError: it is no such address.

    """
    wrong = SegueError(f"'{_without_token(text)}' is no address of an engine: write {EXAMPLE}.")
    try:
        parts = urlsplit(text)
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        raise wrong from None
    engine = parts.path.strip("/")
    if parts.scheme != SCHEME or not parts.hostname or not engine or not port or "/" in engine:
        raise wrong
    options = dict(parse_qsl(parts.query))
    audio_format = options.pop("format", "")
    if options or audio_format not in ("", *FORMATS):
        raise SegueError(
            f"'{parts.query}' is not known in an address: format={'|'.join(FORMATS)} is."
        )
    token = unquote(parts.username or "")
    return RemoteAddress(parts.hostname, port, unquote(engine), token, audio_format)


def _without_token(text: str) -> str:
    """The text without what may be a token, for messages."""
    head, at, rest = text.rpartition("@")
    return f"{PREFIX}{rest}" if at and head else text
