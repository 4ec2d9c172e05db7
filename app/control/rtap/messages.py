"""Datagrams of the accompaniment protocol: context audio, answers and control messages.

After the published server and its Max/MSP client (T. Karchkhadze and S. Dubnov, "Towards Real-Time
Human-AI Musical Co-Performance", 2026; `server.py` and `multi_track`). To the server:

    /context batch start total x...     samples of the context from `start` of the batch on; `total`
                                        packets make a batch, one copy for each stem asked for
    /predict_instruments b d g p        1 for each stem wanted, in the order of STEMS
    /update_r r   /w w                  the window's share of WINDOW; look-ahead -1, 0 or 1
    /update_fade f                      overlap of two answers, as a share of RATE
    /update_package_size n              samples in a packet of the answer
    /load_model   /reset                forget the context
    /predict                            answer now, whatever is missing
    /packet_test n x...                 answered with as many numbers
    /verbose v   /print                 a line for each batch; the counts now

and from it:

    /bass batch index total x...        and so on for each stem
    /server_predicted T   /batch_dropped batch   /ready T   /packet_test_response n x...
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.control.osc.messages import Argument, MalformedPacketError, address_of, parse

RATE: Final = 44_100
"""Samples a second of context and answers."""
WINDOW: Final = 264_600
"""Samples of the published model's context, 6 s, of which `r` is a share."""
STEMS: Final = ("bass", "drums", "guitar", "piano")
PORT: Final = 7000
CLIENT_PORT: Final = 8000
MAX_DATAGRAM: Final = 65_535
PACKAGE_SIZES: Final = (128, 16_384)
MAX_PACKETS: Final = 16_384
"""Packets of a batch: a whole window in the smallest packets, for each stem."""
LOUDEST: Final = 8.0
"""Samples beyond this are clipped to it."""

Samples: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ContextPacket:
    """A packet of context audio.

    Attributes:
        batch: number of the batch, one more with each.
        start: sample of the batch at which it begins.
        total: packets of the batch, copies included.
        samples: float32 (n,), finite.

    """

    batch: int
    start: int
    total: int
    samples: Samples


@dataclass(frozen=True)
class ControlMessage:
    """A control message: address and arguments."""

    address: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class PacketTest:
    """A test of the packet size: how many numbers came."""

    numbers: int


def read(message: bytes) -> ContextPacket | ControlMessage | PacketTest:
    """What a message says.

    Raises:
        MalformedPacketError: no OSC, or numbers that no batch has.

    """
    address = address_of(message)
    if address == b"/context":
        numbers = _numbers(message)
        if len(numbers) < 4 or not np.isfinite(numbers[:3]).all():
            raise MalformedPacketError
        batch, start, total = (int(each) for each in numbers[:3])
        count = len(numbers) - 3
        if not (start >= 0 and start + count <= WINDOW and 1 <= total <= MAX_PACKETS):
            raise MalformedPacketError
        samples = np.nan_to_num(numbers[3:].astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        return ContextPacket(batch, start, total, np.clip(samples, -LOUDEST, LOUDEST))
    if address == b"/packet_test":
        return PacketTest(max(0, len(_numbers(message)) - 1))
    name, arguments = parse(message)
    return ControlMessage(name, tuple(arguments))


def _numbers(message: bytes) -> NDArray[np.float64]:
    """All arguments of a message that has none but int32 and float32.

    Max and JavaScript send 0.0 as the int 0, so that samples may be of either type.
    """
    at = (message.find(b"\0") // 4 + 1) * 4
    end = message.find(b"\0", at)
    if len(message) % 4 or end < 0 or message[at : at + 1] != b",":
        raise MalformedPacketError
    tags = np.frombuffer(message, np.uint8, end - at - 1, at + 1)
    after = (end // 4 + 1) * 4
    whole = tags == ord("i")
    if len(message) - after != 4 * len(tags) or not (whole | (tags == ord("f"))).all():
        raise MalformedPacketError
    floats = np.frombuffer(message, ">f4", len(tags), after).astype(np.float64)
    return np.where(whole, np.frombuffer(message, ">i4", len(tags), after), floats)


def chunk(address: str, numbers: tuple[int, ...], samples: Samples) -> bytes:
    """A message of whole numbers and samples: a packet of context or of an answer.

    Args:
        address: such as "/context" or "/drums".
        numbers: int32 that come first.
        samples: float32 (n,).

    """
    tags = b"," + b"i" * len(numbers) + b"f" * len(samples)
    head = _padded(address.encode("ascii")) + _padded(tags)
    return head + struct.pack(f">{len(numbers)}i", *numbers) + samples.astype(">f4").tobytes()


def flag(address: str) -> bytes:
    """A message whose argument is true, as `/ready`."""
    return _padded(address.encode("ascii")) + _padded(b",T")


def _padded(text: bytes) -> bytes:
    return text + b"\0" * (4 - len(text) % 4)


def answer(stem: str, batch: int, samples: Samples, package: int) -> list[bytes]:
    """The packets of an answer.

    Args:
        stem: one of STEMS.
        batch: that it answers.
        samples: float32 (n,) of the window, the overlap included.
        package: samples in a packet.

    """
    starts = range(0, len(samples), package)
    return [
        chunk(f"/{stem}", (batch, index, len(starts)), samples[start : start + package])
        for index, start in enumerate(starts)
    ]
