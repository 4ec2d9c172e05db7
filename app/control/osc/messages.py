"""OSC datagrams taken apart and put together, names and addresses. Any thread; pure.

After the Open Sound Control 1.0 specification (M. Wright, 2002). Single messages are read and built
by python-osc. Bundles are taken apart here: python-osc's reader never ends on a negative length.
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


class MalformedPacket(Exception):
    """The bytes are no OSC that Segue understands."""


def split(data: bytes, depth: int = 0) -> list[bytes]:
    """The messages of a datagram, those of bundles in order; time tags are not waited for.

    Raises Malformed.
    """
    if data.startswith(b"/"):
        return [data]
    if not data.startswith(b"#bundle\0") or len(data) < 16 or depth >= MAX_DEPTH:
        raise MalformedPacket
    found: list[bytes] = []
    at = 16
    while at < len(data):
        if at + 4 > len(data):
            raise MalformedPacket
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if size <= 0 or size % 4 or at + size > len(data):
            raise MalformedPacket
        found += split(data[at : at + size], depth + 1)
        at += size
    return found


def address_of(data: bytes) -> bytes:
    """The address of a message, without taking it apart any further. Raises Malformed."""
    end = data.find(b"\0")
    if end < 1 or end > 200:
        raise MalformedPacket
    return data[:end]


def has_arguments(data: bytes) -> bool:
    """Whether the message brings a value."""
    end = data.find(b"\0")
    tags = data[(end // 4 + 1) * 4 :]
    return tags.startswith(b",") and tags[1:2] not in (b"\0", b"")


def parse(data: bytes) -> tuple[str, list[Argument]]:
    """Address and arguments of one message. Raises Malformed for whatever is wrong with it."""
    end = data.find(b"\0")
    if len(data) % 4 or end < 1 or not data.startswith(b"/"):
        raise MalformedPacket
    tags_at = (end // 4 + 1) * 4
    tags_end = data.find(b"\0", tags_at)
    tags = data[tags_at:tags_end]
    if tags_at < len(data) and (tags_end < 0 or not tags.startswith(b",")):
        raise MalformedPacket
    # Looked at first: python-osc writes to the log of the program for types it does not know.
    if len(tags) > MAX_ARGUMENTS + 1 or not KNOWN_TYPES.issuperset(tags[1:].replace(b"I", b"T")):
        raise MalformedPacket
    if not _complete(data, tags_end, tags.decode("ascii")):
        raise MalformedPacket
    if b"I" in tags:
        # Infinitum, which some surfaces send for a bang, carries no data: read it as true.
        data = data[:tags_at] + tags.replace(b"I", b"T") + data[tags_end:]
    try:
        message = osc_message.OscMessage(data)
        arguments = list(message)
        address = message.address
    except (osc_message.ParseError, UnicodeDecodeError, ValueError) as error:
        raise MalformedPacket from error
    if any(isinstance(each, float) and not math.isfinite(each) for each in arguments):
        raise MalformedPacket
    return address, arguments


def _complete(data: bytes, tags_end: int, tags: str) -> bool:
    """Whether the arguments are all there: python-osc fills up with zeros what is missing."""
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
    """A message as bytes. Switches go out as 1 and 0, which every program can read."""
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
    """'prompt.3.weight' -> '/segue/prompt/3/weight'."""
    return ROOT + (UNIT if unit else "") + name.replace(".", "/")


def name_from(address: str) -> tuple[str, bool]:
    """'/segue/unit/tempo' -> ('tempo', True): the name and whether it is by position.

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
    """Whether a name fits an OSC pattern; a star does not reach over a dot."""
    parts, expected = name.split("."), pattern.split(".")
    if pattern in ("*", ""):
        return True
    return len(parts) == len(expected) and all(
        fnmatchcase(part, each) for part, each in zip(parts, expected, strict=True)
    )
