"""Messages between a client and a server, protocol 1.

Text messages are JSON objects whose `kind` says what they are; binary ones are blocks and pieces of
long contents. A line goes like this:

* client: `Hello`, server: `Admission` with the engine's properties, or `Refusal`.
* client: `Run`, "render from this place on under these controls"; server: `Started`, then blocks,
  numbered, as many as the client lets it (`More`), each with the number of the snapshot after it.
  A newer run ends the older one. So blocks are on their way before they are asked for, and a
  rewrite of the plan costs one journey there and back.
* client: `Ask` (a style, a moment in a form for files, ...), pieces; server: `Answer`, pieces.
* client: `Release` for snapshots that nobody will go back to; `Ping`, answered by the same.

The first block of a run has the run's controls, the others the same without triggers.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from models.engine.controls import Controls
from models.engine.interface import Audio, EngineInfo, ScoreInfo
from models.engine.triggers import with_triggers
from models.remote.protocol.audio import FORMATS, decode_audio, encode_audio
from models.remote.protocol.wire import WireError, decode, encode

PROTOCOL: Final = 1


@dataclass(frozen=True)
class Hello:
    """First message of a client. session: to be taken up again, '' for a new one."""

    engine: str
    protocol: int = PROTOCOL
    session: str = ""


@dataclass(frozen=True)
class Admission:
    """Answer to `Hello`. info: the engine's, as JSON. resumed: the session is the one asked for."""

    session: str
    resumed: bool
    info: Mapping[str, object]
    weights: str | None = None
    protocol: int = PROTOCOL


@dataclass(frozen=True)
class Refusal:
    """Last message of a server, with the reason."""

    sentence: str


@dataclass(frozen=True)
class Place:
    """Place in the music: after snapshot `snapshot`, or the start with a seed; then cleared."""

    snapshot: int | None = None
    seed: int = 0
    clear: bool = False


@dataclass(frozen=True)
class Run:
    """Request for blocks from a place on. credit: how many may be rendered before `More`."""

    number: int
    place: Place
    controls: Controls
    credit: int = 1
    audio_format: str = FORMATS[0]
    stems: bool = False


@dataclass(frozen=True)
class More:
    """A run may go on up to `credit` blocks, counted from its start."""

    number: int
    credit: int


@dataclass(frozen=True)
class Release:
    """Snapshots that the client does not need any more."""

    snapshots: tuple[int, ...]


@dataclass(frozen=True)
class Ping:
    """Answered by the server with the same number."""

    number: int


@dataclass(frozen=True)
class Ask:
    """Request for anything but blocks. what: see `REQUESTS`. size: bytes that follow in pieces."""

    number: int
    what: str
    text: str = ""
    values: tuple[float, ...] = ()
    count: int = 0
    size: int = 0


@dataclass(frozen=True)
class Answer:
    """Answer to an `Ask`: a sentence where it failed. size: bytes that follow in pieces."""

    number: int
    sentence: str = ""
    text: str = ""
    values: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    count: int = 0
    size: int = 0


@dataclass(frozen=True)
class Started:
    """A run begins, after `snapshot`: an earlier one where the one asked for is forgotten."""

    number: int
    snapshot: int | None = None


@dataclass(frozen=True)
class Fault:
    """A run failed. refused: the controls do not fit; otherwise the engine failed."""

    number: int
    sentence: str
    refused: bool = False


REQUESTS: Final = ("embed_text", "embed_audio", "nearest_terms", "snapshot_after", "pack", "unpack")

Message: TypeAlias = (
    Hello | Admission | Refusal | Run | More | Release | Ping | Ask | Answer | Started | Fault
)
KINDS: Final[dict[str, type[Message]]] = {
    kind.__name__.lower(): kind
    for kind in (Hello, Admission, Refusal, Run, More, Release, Ping, Ask, Answer, Started, Fault)
}


def to_text(message: Message) -> str:
    """A message as JSON."""
    body = encode(message)
    assert isinstance(body, dict)
    kind = type(message).__name__.lower()
    return json.dumps({"kind": kind, **body}, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Message:
    """The message of a JSON text.

    Raises:
        SegueError: it is none, or one of its values is refused.

    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise WireError("a message is no JSON: use the same Segue on both sides.") from None
    kind = KINDS.get(str(body.get("kind"))) if isinstance(body, dict) else None
    if kind is None:
        raise WireError("a message is of no known kind: use the same Segue on both sides.")
    return decode(kind, body)


def following(controls: Controls) -> Controls:
    """Controls of the blocks after the first one of a run: triggers have acted."""
    return with_triggers(controls, ())


# Binary messages.

BLOCK: Final = 1
PIECE: Final = 2
MAX_SCORE_BYTES: Final = 1_000_000
_BLOCK_HEADER: Final = struct.Struct("<BBHIIQIII")
_PIECE_HEADER: Final = struct.Struct("<BI")


@dataclass(frozen=True)
class Block:
    """A block of a run.

    number: of the run. index: of the block in the run, from 0. snapshot, size: number of the
    snapshot after it, and the memory that it adds on the server in bytes. planes: the mix, and the
    stems in the order of `EngineInfo.parts` where the run has them, float32 (n, channels) each.
    seconds: that rendering took.
    """

    number: int
    index: int
    snapshot: int
    size: int
    planes: tuple[Audio, ...]
    score: ScoreInfo | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Piece:
    """Part of the content of a request or an answer."""

    number: int
    content: bytes = field(repr=False)


def pack_block(block: Block, sample_rate: int, audio_format: str) -> bytes:
    """A block as a binary message."""
    text = b"" if block.score is None else json.dumps(encode(block.score)).encode()
    score = zlib.compress(text, 1) if text else text
    planes = [encode_audio(plane, sample_rate, audio_format) for plane in block.planes]
    header = _BLOCK_HEADER.pack(
        BLOCK, FORMATS.index(audio_format), len(planes), block.number, block.index,
        block.snapshot, block.size, min(round(1e6 * block.seconds), 2**32 - 1), len(score),
    )  # fmt: skip
    sizes = struct.pack(f"<{len(planes)}I", *map(len, planes))
    return b"".join([header, sizes, score, *planes])


def pack_piece(number: int, content: bytes) -> bytes:
    """A piece as a binary message."""
    return _PIECE_HEADER.pack(PIECE, number) + content


def from_bytes(data: bytes, info: EngineInfo | None = None) -> Block | Piece:
    """The content of a binary message.

    Args:
        data: the message.
        info: of the engine whose blocks are read; None where only pieces may come.

    Raises:
        SegueError: it is damaged.

    """
    damaged = WireError("a message is damaged: use the same Segue on both sides.")
    if data[:1] == bytes([PIECE]) and len(data) >= _PIECE_HEADER.size:
        return Piece(_PIECE_HEADER.unpack_from(data)[1], data[_PIECE_HEADER.size :])
    if data[:1] != bytes([BLOCK]) or info is None or len(data) < _BLOCK_HEADER.size:
        raise damaged
    (_, code, count, number, index, snapshot, size, micros, score_size) = _BLOCK_HEADER.unpack_from(
        data
    )
    at = _BLOCK_HEADER.size
    if code >= len(FORMATS) or count not in (1, 1 + len(info.parts)) or len(data) < at + 4 * count:
        raise damaged
    sizes = struct.unpack_from(f"<{count}I", data, at)
    at += 4 * count
    if at + score_size + sum(sizes) != len(data):
        raise damaged
    packed, at = data[at : at + score_size], at + score_size
    try:
        text = zlib.decompressobj().decompress(packed, MAX_SCORE_BYTES)
        score = decode(ScoreInfo, json.loads(text)) if packed else None
    except (zlib.error, UnicodeDecodeError, json.JSONDecodeError):
        raise damaged from None
    planes = []
    for length in sizes:
        content, at = data[at : at + length], at + length
        planes.append(decode_audio(content, info.channels, FORMATS[code], info.block_frames))
    return Block(number, index, snapshot, size, tuple(planes), score, micros / 1e6)


# Properties of an engine: those of a newer Segue may name controls that this one does not know.


def info_to_json(info: EngineInfo) -> dict[str, object]:
    """Properties of an engine as JSON."""
    body = encode(info)
    assert isinstance(body, dict)
    return dict(body)


def info_from_json(
    body: Mapping[str, object], known: frozenset[str], **changes: object
) -> EngineInfo:
    """Properties of an engine from their JSON, without controls and sends not known here.

    Args:
        body: of `info_to_json`.
        known: names of controls, sends and part controls.
        changes: values of fields that are set here.

    Raises:
        SegueError: the properties make no sense.

    """
    given = dict(body)
    for name in ("controls", "sends", "part_controls"):
        names = given.get(name)
        if isinstance(names, list):
            given[name] = [each for each in names if each in known]
    for name in ("ranges", "defaults"):
        table = given.get(name)
        if isinstance(table, dict):
            given[name] = {each: value for each, value in table.items() if each in known}
    try:
        return decode(EngineInfo, {**given, **changes})
    except WireError:
        raise
    except ValueError as error:
        raise WireError(f"the engine there describes itself strangely ({error}).") from None
