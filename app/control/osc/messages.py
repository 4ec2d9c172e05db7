"""OSC messages: parsed and built, and the addresses of parameters.

After the Open Sound Control 1.0 and 1.1 specifications (M. Wright, 2002; A. Freed and A. Schmeder,
2009). python-osc builds messages; they are parsed here, because it drops a message with a type
that it does not know, replaces missing data by zeros, and loops forever on a negative length.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pythonosc import osc_message_builder

from models.errors import SegueError

ROOT: Final = "/segue/"
UNIT: Final = "unit/"
"""/segue/tempo is in bpm, /segue/unit/tempo from 0 to 1."""
MAX_BYTES: Final = 8192
MAX_ARGUMENTS: Final = 64
IMMEDIATELY: Final = 1
"""Time tag of what is due at once."""
NTP_OFFSET: Final = 2_208_988_800
"""Seconds from 1900, where time tags begin, to 1970."""
MAX_DEPTH: Final = 4
"""Bundles inside each other."""
MAX_PATTERN: Final = 200
MAX_STARS: Final = 8
"""Characters, and stars, of a pattern: matching more of them takes too long."""
_FORMATS: Final = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_CONSTANTS: Final[dict[str, bool | None]] = {"T": True, "F": False, "N": None, "I": True}
"""Types without data. Infinitum (a bang of some controllers) is read as true."""
_SKIPPED: Final = {"c": 4, "r": 4, "m": 4, "t": 8, "[": 0, "]": 0}
"""Bytes of the types that no parameter takes: character, colour, MIDI, time, brackets of arrays."""

Argument = float | int | str | bool | None


class MalformedPacketError(Exception):
    """The bytes are no OSC message that Segue can read."""


def split(data: bytes, depth: int = 0, tag: int = IMMEDIATELY) -> list[tuple[int, bytes]]:
    """Split a datagram into its messages, bundles included, each with its time tag.

    A bundle inside another one is due no earlier than that. At most `MAX_DEPTH` bundles may be
    inside each other. Raises MalformedPacketError.
    """
    if data.startswith(b"/"):
        return [(tag, data)]
    if not data.startswith(b"#bundle\0") or len(data) < 16 or depth >= MAX_DEPTH:
        raise MalformedPacketError
    tag = max(tag, int.from_bytes(data[8:16], "big"))
    found: list[tuple[int, bytes]] = []
    at = 16
    while at < len(data):
        if at + 4 > len(data):
            raise MalformedPacketError
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if size <= 0 or size % 4 or at + size > len(data):
            raise MalformedPacketError
        found += split(data[at : at + size], depth + 1, tag)
        at += size
    return found


def seconds_of(tag: int) -> float:
    """A time tag (64 bits, NTP) as seconds of `time.time`."""
    return tag / 2**32 - NTP_OFFSET


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
    """Parse one message into address and arguments.

    Arguments that no parameter takes (blob, character, colour, MIDI, time, what is in an array) are
    skipped by their size. Raises MalformedPacketError.
    """
    end = data.find(b"\0")
    if len(data) % 4 or end < 1 or not data.startswith(b"/"):
        raise MalformedPacketError
    at = (end // 4 + 1) * 4
    try:
        address = data[:end].decode("utf-8")
        tags, at = _string(data, at) if at < len(data) else (",", at)
    except UnicodeDecodeError as error:
        raise MalformedPacketError from error
    if not tags.startswith(",") or len(tags) > MAX_ARGUMENTS + 1:
        raise MalformedPacketError
    arguments: list[Argument] = []
    depth = 0
    for tag in tags[1:]:
        depth += (tag == "[") - (tag == "]")
        if depth < 0:
            raise MalformedPacketError
        kept, value, at = _argument(data, at, tag)
        if kept and not depth:
            arguments.append(value)
    if depth or at != len(data):
        raise MalformedPacketError
    return address, arguments


def _argument(data: bytes, at: int, tag: str) -> tuple[bool, Argument, int]:
    """Whether the argument is one that parameters take, its value, and the place after it."""
    if tag in _CONSTANTS:
        return True, _CONSTANTS[tag], at
    if tag in ("s", "S"):
        try:
            text, at = _string(data, at)
        except UnicodeDecodeError as error:
            raise MalformedPacketError from error
        return True, text, at
    if tag in _FORMATS:
        size = struct.calcsize(_FORMATS[tag])
        if at + size > len(data):
            raise MalformedPacketError
        (number,) = struct.unpack_from(_FORMATS[tag], data, at)
        if not math.isfinite(number):
            raise MalformedPacketError
        return True, number, at + size
    if tag == "b":
        if at + 4 > len(data):
            raise MalformedPacketError
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        after = at + 4 + (size + 3) // 4 * 4
    elif tag in _SKIPPED:
        size, after = 0, at + _SKIPPED[tag]
    else:
        raise MalformedPacketError
    if size < 0 or after > len(data):
        raise MalformedPacketError
    return False, None, after


def _string(data: bytes, at: int) -> tuple[str, int]:
    """A string that is closed and padded to 4 bytes, and the place after it."""
    end = data.find(b"\0", at)
    after = (end // 4 + 1) * 4
    if end < 0 or after > len(data):
        raise MalformedPacketError
    return data[at:end].decode("utf-8"), after


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


PATTERN_SIGNS: Final = "*?[{"


def is_pattern(name: str) -> bool:
    return any(sign in name for sign in PATTERN_SIGNS) or ".." in name


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches an OSC pattern.

    Args:
        name: A parameter's name, its parts parted by dots.
        pattern: An address pattern of OSC 1.0, with dots for slashes: `?`, `*`, `[a-c]`, `[!a-c]`
            and `{one,two}`, none of which matches a dot; and two dots, as `//` of OSC 1.1, for any
            number of parts. "*" alone and "" match every name.

    Returns:
        False also where the pattern is malformed.

    """
    if pattern in ("*", ""):
        return True
    found = _expression(pattern)
    return found is not None and found.fullmatch(name) is not None


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str] | None:
    """The regular expression of an OSC pattern; None where a bracket is not closed."""
    if len(pattern) > MAX_PATTERN or pattern.count("*") + pattern.count("..") > MAX_STARS:
        return None
    text, at = "", 0
    while at < len(pattern):
        sign = pattern[at]
        close = pattern.find({"[": "]", "{": "}"}.get(sign, "\0"), at + 1)
        if pattern.startswith("..", at):
            text += r"(?:.*\.)?" if at == 0 else r"\.(?:.*\.)?"
            at += 1
        elif sign == "?":
            text += r"[^.]"
        elif sign == "*":
            text += r"[^.]*"
        elif sign in "[{":
            if close <= at + 1:
                return None
            text += (
                _class_of(pattern[at + 1 : close])
                if sign == "["
                else _any_of(pattern[at + 1 : close])
            )
            at = close
        else:
            text += re.escape(sign)
        at += 1
    try:
        return re.compile(text)
    except re.error:
        return None


def _any_of(inside: str) -> str:
    return "(?:" + "|".join(re.escape(each) for each in inside.split(",")) + ")"


def _class_of(inside: str) -> str:
    """A set of characters; a minus between two of them is a range, in either order."""
    negated, signs = inside.startswith("!"), inside.removeprefix("!")
    text, at = "", 0
    while at < len(signs):
        if at + 2 < len(signs) and signs[at + 1] == "-":
            low, high = sorted((signs[at], signs[at + 2]))
            text += f"{re.escape(low)}-{re.escape(high)}"
            at += 3
        else:
            text += re.escape(signs[at])
            at += 1
    if not text:
        return r"[^.]" if negated else r"(?!)"
    return f"[^.{text}]" if negated else f"(?!\\.)[{text}]"
