"""Data files of the instrument bank: sample rate, compression, manifest entries.

The format is described in `models.segue.studio.bank`, which reads it.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from models.music.score import SAMPLE_RATE
from models.segue.studio.manifest import PackEntry, ZoneEntry

Audio = NDArray[np.float32]

RATES: Final = (16_000, 24_000, 32_000, SAMPLE_RATE)
MAX_LOSS_DB: Final = -64.0
"""Energy above a rate's band, against the whole, under which the lower rate is taken."""
QUALITY: Final = 0.38  # of libsndfile's 0 (best) to 1


def at_lowest_rate(x: Audio, floor: int = RATES[0]) -> tuple[Audio, int]:
    """The recording at the lowest of RATES that holds its band."""
    power = np.square(np.abs(np.fft.rfft(x.astype(np.float64), axis=0))).sum(1)
    hertz = np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE)
    for rate in RATES[:-1]:
        if rate < floor:
            continue
        lost = power[hertz > 0.42 * rate].sum() / (power.sum() + 1e-20)
        if 10 * np.log10(lost + 1e-20) < MAX_LOSS_DB:
            # Reduced, as all are divisors of 96 000.
            up, down = {16_000: (1, 3), 24_000: (1, 2), 32_000: (2, 3)}[rate]
            return np.asarray(resample_poly(x, up, down, axis=0), np.float32), rate
    return x, SAMPLE_RATE


def encode(x: Audio, rate: int, lossless: bool) -> bytes:
    """A FLAC or Ogg Vorbis file of samples within full scale."""
    buffer = io.BytesIO()
    kind = (
        {"format": "FLAC", "subtype": "PCM_16"}
        if lossless
        else {"format": "OGG", "subtype": "VORBIS"}
    )
    if lossless:
        # Triangular noise of one step: quantisation error becomes hiss, not distortion.
        rng = np.random.default_rng(len(x))
        dither = rng.random(x.shape) - rng.random(x.shape)
        x = (x + dither.astype(np.float32) / 32768).clip(-1, 32767 / 32768)
    with soundfile.SoundFile(
        buffer, "w", rate, x.shape[1], compression_level=1.0 if lossless else QUALITY, **kind
    ) as file:
        for start in range(0, len(x), 4096):  # longer pieces make libvorbis run out of stack
            file.write(x[start : start + 4096])
    raw = buffer.getvalue()
    back = soundfile.read(io.BytesIO(raw), always_2d=True)[0]
    if len(back) != len(x):
        raise RuntimeError(f"a file of {len(x)} samples came back with {len(back)}")
    return raw


@dataclass
class Pack:
    """Data file of the bank, filled zone by zone; equal sounds are written once."""

    name: str
    data: bytearray = field(default_factory=bytearray)
    zones: list[ZoneEntry] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, x: Audio, rate: int, lossless: bool, stereo: bool, entry: ZoneEntry) -> int:
        """Add samples (n, 2) as mono or stereo, with further fields; returns the zone's number."""
        pan: ZoneEntry = {}
        if not stereo:
            left, right = (float(np.square(x[:, side], dtype=np.float64).sum()) for side in (0, 1))
            balance = (right - left) / (right + left + 1e-12)
            x = x.mean(1, keepdims=True)
            if abs(balance) > 0.02:
                pan = {"pan": round(balance, 3)}
        peak = float(np.abs(x).max()) + 1e-9
        x = np.ascontiguousarray(x * np.float32(0.9 / peak))
        raw = encode(x, rate, lossless)
        key = hashlib.sha256(raw).hexdigest()
        if key not in self.places:
            self.places[key] = (len(self.data), len(raw))
            self.data += raw
        at, size = self.places[key]
        zone: ZoneEntry = {
            "at": at, "size": size, "rate": rate, "frames": len(x), "channels": x.shape[1],
            "gain": round(peak / 0.9, 6), **entry, **pan,
        }  # fmt: skip
        self.zones.append(zone)
        return len(self.zones) - 1

    def save(self, folder: Path) -> PackEntry:
        """Write the data file; returns the entry of the manifest."""
        (folder / f"{self.name}.bin").write_bytes(self.data)
        return {
            "file": f"{self.name}.bin",
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "bytes": len(self.data),
            "zones": self.zones,
        }
