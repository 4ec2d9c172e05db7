"""OSC messages: parsed and built, and the addresses of parameters.

After the Open Sound Control 1.0 specification (M. Wright, 2002). python-osc parses and builds
single messages. Bundles are split here, because python-osc loops forever on a negative length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from pythonosc import osc_message, osc_message_builder

from models.errors import SegueError

ROOT: Final = "/segue/"
UNIT: Final = "unit/"
"""/segue/tempo is in bpm, /segue/unit/tempo from 0 to 1."""
MAX_BYTES: Final = 8192
MAX_ARGUMENTS: Final = 64
MAX_DEPTH: Final = 4
KNOWN_TYPES: Final = frozenset(b"ifdhsTFNI")
_BYTES_OF: Final = {"i": 4, "f": 4, "h": 8, "d": 8}

Argument = float | int | str | bool | None


class MalformedPacketError(Exception):
    """The bytes are no OSC message that Segue can read."""


def split(data: bytes, depth: int = 0) -> list[bytes]:
    """Split a datagram into messages, bundles included. Time tags are ignored.

    Raises MalformedPacketError.
    """
    if data.startswith(b"/"):
        return [data]
    if not data.startswith(b"#bundle\0") or len(data) < 16 or depth >= MAX_DEPTH:
        raise MalformedPacketError
    found: list[bytes] = []
    at = 16
    while at < len(data):
        if at + 4 > len(data):
            raise MalformedPacketError
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if size <= 0 or size % 4 or at + size > len(data):
            raise MalformedPacketError
        found += split(data[at : at + size], depth + 1)
        at += size
    return found


def address_of(data: bytes) -> bytes:
    """The address of a message. Raises MalformedPacketError."""
    end = data.find(b"\0")
    if end < 1 or end > 200:
        raise MalformedPacketError
    return data[:end]


def has_arguments(data: bytes) -> bool:
    """Whether the message has an argument."""
    end = data.find(b"\0")
    tags = data[(end // 4 + 1) * 4 :]
    return tags.startswith(b",") and tags[1:2] not in (b"\0", b"")


def parse(data: bytes) -> tuple[str, list[Argument]]:
    """Parse one message into address and arguments. Raises MalformedPacketError."""
    end = data.find(b"\0")
    if len(data) % 4 or end < 1 or not data.startswith(b"/"):
        raise MalformedPacketError
    tags_at = (end // 4 + 1) * 4
    tags_end = data.find(b"\0", tags_at)
    tags = data[tags_at:tags_end]
    if tags_at < len(data) and (tags_end < 0 or not tags.startswith(b",")):
        raise MalformedPacketError
    # Checked first: python-osc logs unknown types.
    if len(tags) > MAX_ARGUMENTS + 1 or not KNOWN_TYPES.issuperset(tags[1:].replace(b"I", b"T")):
        raise MalformedPacketError
    if not _complete(data, tags_end, tags.decode("ascii")):
        raise MalformedPacketError
    if b"I" in tags:
        # Infinitum (a bang of some controllers) has no data: read as true.
        data = data[:tags_at] + tags.replace(b"I", b"T") + data[tags_end:]
    try:
        message = osc_message.OscMessage(data)
        arguments = list(message)
        address = message.address
    except (osc_message.ParseError, UnicodeDecodeError, ValueError) as error:
        raise MalformedPacketError from error
    if any(isinstance(each, float) and not math.isfinite(each) for each in arguments):
        raise MalformedPacketError
    return address, arguments


def _complete(data: bytes, tags_end: int, tags: str) -> bool:
    """Whether the arguments are complete: python-osc replaces missing data by zeros."""
    at = len(data) if tags_end < 0 else (tags_end // 4 + 1) * 4
    for tag in tags[1:]:
        if tag == "s":
            end = data.find(b"\0", at)
            if end < 0:
                return False
            at = (end // 4 + 1) * 4
        else:
            at += _BYTES_OF.get(tag, 0)
    return at == len(data)


def build(address: str, arguments: Sequence[Argument] = ()) -> bytes:
    """Build a message. Booleans are sent as 1 and 0, None as "auto"."""
    builder = osc_message_builder.OscMessageBuilder(address=address)
    for each in arguments:
        if isinstance(each, bool):
            builder.add_arg(int(each))
        elif each is None:
            builder.add_arg("auto")
        else:
            builder.add_arg(each)
    data: bytes = builder.build().dgram
    return data


def address_for(name: str, *, unit: bool = False) -> str:
    """OSC address of a parameter: 'prompt.3.weight' -> '/segue/prompt/3/weight'."""
    return ROOT + (UNIT if unit else "") + name.replace(".", "/")


def name_from(address: str) -> tuple[str, bool]:
    """Parameter of an address, and whether by position: '/segue/unit/tempo' -> ('tempo', True).

    Raises SegueError for an address that is not Segue's.
    """
    if not address.startswith(ROOT):
        raise SegueError(f"'{address[:60]}' is no address of Segue; they begin with '{ROOT}'.")
    rest = address[len(ROOT) :]
    unit = rest.startswith(UNIT)
    return (rest[len(UNIT) :] if unit else rest).replace("/", "."), unit


def is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches an OSC pattern; a star does not match a dot."""
    parts, expected = name.split("."), pattern.split(".")
    if pattern in ("*", ""):
        return True
    return len(parts) == len(expected) and all(
        fnmatchcase(part, each) for part, each in zip(parts, expected, strict=True)
    )
