"""Samples, and a small SoundFont, as files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 22_050


def note(key: float, seconds: float = 1.0) -> NDArray[np.float32]:
    """(frames,) of a held note with overtones, let go at its end."""
    hertz = 440 * 2 ** ((key - 69) / 12)
    time = np.arange(int(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * hertz * k * time + k * k) / k**1.3 for k in range(1, 16)
             if hertz * k < RATE / 2]  # fmt: skip
    fades = np.minimum(1, time / 0.02) * np.minimum(1, (seconds - time) / 0.2)
    return np.asarray(0.2 * sum(tones) * fades, np.float32)


def hit(hertz: float, decay: float, noise: float) -> NDArray[np.float32]:
    """(frames,) of a drum of half a second."""
    time = np.arange(RATE // 2) / RATE
    rough = np.random.default_rng(3).uniform(-1, 1, len(time))
    tone = (1 - noise) * np.sin(2 * np.pi * hertz * time) + noise * rough
    return np.asarray(0.9 * np.exp(-time / decay) * tone, np.float32)


def write_soundfont(path: Path) -> Path:
    """A SoundFont with one looped tone (0, 5) and a kit of kick and snare (128, 0)."""
    sounds = [note(60), hit(55, 0.1, 0.0), hit(200, 0.1, 0.7)]
    smpl, heads, at = b"", b"", 0
    for name, sound, loop in zip((b"tone", b"kick", b"snare"), sounds, (True, False, False),
                                 strict=True):  # fmt: skip
        end = at + len(sound)
        span = (at + 5000, at + 15000) if loop else (at, end)
        heads += struct.pack("<20s5IBbHH", name, at, end, *span, RATE, 60, 0, 0, 1)
        smpl += (sound * 32767).astype("<i2").tobytes() + bytes(92)
        at = end + 46
    heads += struct.pack("<20s5IBbHH", b"EOS", *[0] * 9)

    def keys(low: int, high: int) -> tuple[int, int]:
        return 43, low | high << 8

    def table(zones: list[list[tuple[int, int]]]) -> tuple[bytes, bytes]:
        bags, gens = b"", b""
        for zone in zones:
            bags += struct.pack("<HH", len(gens) // 4, 0)
            gens += b"".join(struct.pack("<Hh", kind, amount) for kind, amount in zone)
        return bags + struct.pack("<HH", len(gens) // 4, 0), gens + bytes(4)

    ibag, igen = table([
        [(54, 1), (38, -2400), (53, 0)],
        [keys(36, 36), (58, 36), (53, 1)],
        [keys(38, 38), (58, 38), (53, 2)],
    ])  # fmt: skip
    pbag, pgen = table([[(41, 0)], [(41, 1)]])
    phdr = struct.pack("<20sHHH12x", b"Tone", 5, 0, 0) + struct.pack(
        "<20sHHH12x", b"Kit", 0, 128, 1
    )
    phdr += struct.pack("<20sHHH12x", b"EOP", 0, 0, 2)
    inst = b"".join(struct.pack("<20sH", *row) for row in ((b"Tone", 0), (b"Kit", 1), (b"EOI", 3)))

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)

    pdta = b"".join(
        chunk(name, body)
        for name, body in (
            (b"phdr", phdr), (b"pbag", pbag), (b"pmod", bytes(10)), (b"pgen", pgen),
            (b"inst", inst), (b"ibag", ibag), (b"imod", bytes(10)), (b"igen", igen),
            (b"shdr", heads),
        )
    )  # fmt: skip
    body = b"sfbk" + chunk(b"LIST", b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 4)))
    body += chunk(b"LIST", b"sdta" + chunk(b"smpl", smpl)) + chunk(b"LIST", b"pdta" + pdta)
    path.write_bytes(chunk(b"RIFF", body))
    return path
