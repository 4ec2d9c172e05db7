"""Requests of a client besides blocks: styles, continued audio, moments in a form for files.

A moment leaves the server sealed with a secret of it: what comes back from a file is taken up only
if this server, or one with the same secret, wrote it. So nothing that a client made up is unpacked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from typing import Final

import numpy as np

from models.errors import SegueError
from models.remote.protocol.audio import described_audio
from models.remote.protocol.messages import REQUESTS, Answer, Ask
from models.remote.server.session import StreamSession
from models.storage.serialisation import PackedState

MAX_STATE_BYTES: Final = 64_000_000
SEAL: Final = hashlib.sha256
NOT_OURS: Final = "that place in the music was kept by another server: it cannot be taken up here."


def answer(ask: Ask, content: bytes, session: StreamSession, secret: bytes) -> tuple[Answer, bytes]:
    """Answer to a request, and the content that follows it. May take seconds.

    Args:
        ask: the request.
        content: its content.
        session: of the client.
        secret: with which moments are sealed.

    Raises:
        SegueError: the request is refused.

    """
    if ask.what not in REQUESTS:
        raise SegueError(f"'{ask.what}' cannot be asked for: use the same Segue on both sides.")
    engine, number = session.engine, ask.number
    if ask.what == "embed_text":
        style = engine.embed_text(ask.text)
        return Answer(number, count=len(style)), style.astype("<f4").tobytes()
    if ask.what == "embed_audio":
        style = engine.embed_audio(*described_audio(ask.text, content))
        return Answer(number, count=len(style)), style.astype("<f4").tobytes()
    if ask.what == "nearest_terms":
        style = np.frombuffer(content[: len(content) // 4 * 4], "<f4").astype(np.float32)
        names = engine.nearest_terms(style, max(0, min(ask.count, 100)))
        return Answer(number, names=names), b""
    if ask.what == "snapshot_after":
        snapshot = engine.snapshot_after(*described_audio(ask.text, content), ask.count)
        kept, size = session.keep(snapshot)
        return Answer(number, values=(kept, size)), b""
    if ask.what == "pack":
        packed = engine.pack(session.snapshot(ask.count))
        return Answer(number), b"" if packed is None else seal(packed, secret)
    kept, size = session.keep(engine.unpack(unseal(content, secret)))
    return Answer(number, values=(kept, size)), b""


def seal(packed: PackedState, secret: bytes) -> bytes:
    """A moment as bytes, sealed."""
    arrays = [(array.dtype.name, list(array.shape)) for array in packed.arrays]
    head = json.dumps([packed.engine, packed.weights, packed.tree, arrays]).encode()
    parts = [len(head).to_bytes(4, "little"), head]
    body = zlib.compress(b"".join([*parts, *(a.tobytes() for a in packed.arrays)]), 1)
    return hmac.digest(secret, body, SEAL) + body


def unseal(content: bytes, secret: bytes) -> PackedState:
    """The moment of sealed bytes. SegueError where the seal is not of this secret."""
    size = SEAL().digest_size
    if not hmac.compare_digest(hmac.digest(secret, content[size:], SEAL), content[:size]):
        raise SegueError(NOT_OURS)
    plain = zlib.decompressobj().decompress(content[size:], MAX_STATE_BYTES)
    start = 4 + int.from_bytes(plain[:4], "little")
    engine, weights, tree, described = json.loads(plain[4:start])
    arrays = []
    for dtype, shape in described:
        array = np.empty(shape, np.dtype(dtype))
        array.reshape(-1).view(np.uint8)[:] = np.frombuffer(plain, np.uint8, array.nbytes, start)
        arrays.append(array)
        start += array.nbytes
    return PackedState(engine, weights, tree, tuple(arrays))
