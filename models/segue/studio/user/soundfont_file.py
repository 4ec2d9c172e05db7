"""SoundFont files: the tables of an SF2 or SF3, and its samples read one by one.

Format: SoundFont Technical Specification 2.04 (E-mu, 2006), sections 4 to 7. SF3 is the same with
samples as Ogg Vorbis (MuseScore). Tables are checked against the file's length before anything is
read, so that a damaged file is a sentence.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.segue.studio.user.regions import WaveSource

MAX_TABLE: Final = 64_000_000
"""Bytes of one table."""
MAX_CHUNKS: Final = 64
COMPRESSED: Final = 0x10
ROM: Final = 0x8000
RIGHT, LEFT = 2, 4
TABLES: Final = {
    b"phdr": np.dtype(
        [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]
    ),
    b"pbag": np.dtype([("generator", "<u2"), ("modulator", "<u2")]),
    b"pgen": np.dtype([("kind", "<u2"), ("amount", "<i2")]),
    b"inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    b"ibag": np.dtype([("generator", "<u2"), ("modulator", "<u2")]),
    b"igen": np.dtype([("kind", "<u2"), ("amount", "<i2")]),
    b"shdr": np.dtype(
        [("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"),
         ("loop_end", "<u4"), ("rate", "<u4"), ("root", "u1"), ("cents", "i1"), ("link", "<u2"),
         ("type", "<u2")]
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Preset:
    """Preset of a SoundFont: bank (128 for kits), program, name, and its place in the table."""

    bank: int
    program: int
    name: str
    place: int


@dataclass(frozen=True)
class SoundFont:
    """Tables of a SoundFont, and where its samples lie in bytes."""

    path: Path
    tables: dict[bytes, NDArray[np.void]]
    samples_at: int
    samples_size: int

    @property
    def presets(self) -> tuple[Preset, ...]:
        """All presets, kits behind the others."""
        rows = self.tables[b"phdr"][:-1]
        found = [
            Preset(int(r["bank"]), int(r["program"]), _name(r["name"]), i)
            for i, r in enumerate(rows)
        ]
        return tuple(sorted(found, key=lambda p: (p.bank, p.program)))

    def generators(self, level: str, place: int) -> list[dict[int, int]]:
        """Generators of each zone of a preset ("p") or an instrument ("i")."""
        head, bag, gen = (
            (b"phdr", b"pbag", b"pgen") if level == "p" else (b"inst", b"ibag", b"igen")
        )
        heads, bags, gens = self.tables[head], self.tables[bag], self.tables[gen]
        if place + 1 >= len(heads):
            return []
        zones = []
        for zone in range(int(heads[place]["bag"]), int(heads[place + 1]["bag"])):
            if zone + 1 >= len(bags):
                break
            rows = gens[int(bags[zone]["generator"]) : int(bags[zone + 1]["generator"])]
            zones.append({int(row["kind"]): int(row["amount"]) for row in rows})
        return zones

    def read(self, number: int, seconds: float, loop: tuple[int, int] | None) -> WaveSource:
        """A sample (frames, 1), with its loop moved to where it lies in it.

        Args:
            number: of the sample.
            seconds: how much of it at the most.
            loop: offsets of its loop's ends.

        """
        row = self.tables[b"shdr"][number]
        rate = int(row["rate"])
        if not 400 <= rate <= 192_000:
            rate = 22_050  # section 7.10: an illegal rate is played as well as can be
        start, end = int(row["start"]), int(row["end"])
        packed = bool(int(row["type"]) & COMPRESSED)
        read = self._packed if packed else self._plain
        sound = read(start, end, int(seconds * rate))
        base = 0 if packed else start
        begin, stop = int(row["loop_start"]) - base, int(row["loop_end"]) - base
        if loop is not None:
            begin, stop = begin + loop[0], stop + loop[1]
        found = (begin, stop) if 0 <= begin < stop - 8 and stop <= len(sound) else None
        root = int(row["root"])
        return WaveSource(sound[:, None], rate, found, root if root < 128 else None)

    def _plain(self, start: int, end: int, frames: int) -> NDArray[np.float32]:
        end = min(end, self.samples_size // 2, start + frames)
        if end - start < 16:
            raise SegueError(f"{self.path.name} is damaged: a sample lies outside of it.")
        with self.path.open("rb") as file:
            file.seek(self.samples_at + 2 * start)
            raw = file.read(2 * (end - start))
        return np.frombuffer(raw[: len(raw) & ~1], "<i2").astype(np.float32) / np.float32(32768)

    def _packed(self, start: int, end: int, frames: int) -> NDArray[np.float32]:
        import soundfile

        if not 0 <= start < end <= self.samples_size:
            raise SegueError(f"{self.path.name} is damaged: a sample lies outside of it.")
        with self.path.open("rb") as file:
            file.seek(self.samples_at + start)
            raw = file.read(end - start)
        try:
            with soundfile.SoundFile(io.BytesIO(raw)) as decoder:
                if decoder.channels > 2:
                    raise RuntimeError
                sound = decoder.read(frames, dtype="float32", always_2d=True)
        except (RuntimeError, OSError):
            raise SegueError(f"{self.path.name} is damaged: a sample cannot be decoded.") from None
        return np.ascontiguousarray(sound[:, 0])


def open_soundfont(path: Path) -> SoundFont:
    """The tables of a SoundFont.

    Args:
        path: of an SF2 or SF3 file.

    Raises:
        SegueError: it is none, or damaged.

    """
    try:
        if not path.is_file():
            raise SegueError(f"there is no file {path}: restore it.")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
            if head[:4] != b"RIFF" or head[8:12] != b"sfbk":
                raise SegueError(f"{path.name} is no SoundFont: give an SF2 or SF3 file.")
            tables: dict[bytes, NDArray[np.void]] = {}
            samples = (0, 0)
            for name, at, length in _chunks(file, 12, size):
                if name != b"LIST":
                    continue
                file.seek(at)
                kind = file.read(4)
                for inner, inside, count in _chunks(file, at + 4, min(at + length, size)):
                    if kind == b"sdta" and inner == b"smpl":
                        samples = (inside, count)
                    elif kind == b"pdta" and inner in TABLES:
                        tables[inner] = _table(file, inner, inside, count, path)
    except (OSError, struct.error) as error:
        raise SegueError(f"{path} cannot be read ({error}): check the file.") from None
    if len(tables) < len(TABLES) or not samples[1] or min(map(len, tables.values())) < 1:
        raise SegueError(f"{path.name} is damaged or cut short: copy it again.")
    font = SoundFont(path, tables, *samples)
    if not font.presets:
        raise SegueError(f"{path.name} has no presets: give another SoundFont.")
    return font


def _chunks(file: BinaryIO, at: int, end: int) -> list[tuple[bytes, int, int]]:
    """Name, place and length of each chunk from `at` on; a length beyond the end is cut."""
    found: list[tuple[bytes, int, int]] = []
    while at + 8 <= end and len(found) < MAX_CHUNKS:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        found.append((name, at + 8, min(length, end - at - 8)))
        at += 8 + length + (length & 1)
    return found


def _table(file: BinaryIO, name: bytes, at: int, length: int, path: Path) -> NDArray[np.void]:
    if length > MAX_TABLE:
        raise SegueError(f"{path.name} is damaged: its tables are too long.")
    kind = TABLES[name]
    file.seek(at)
    raw = file.read(length - length % kind.itemsize)
    return np.frombuffer(raw[: len(raw) - len(raw) % kind.itemsize], kind)


def _name(raw: bytes) -> str:
    text = bytes(raw).split(b"\0")[0].decode("latin-1")
    return "".join(c for c in text if c.isprintable()).strip()
