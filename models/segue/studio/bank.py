"""Instrument bank: recorded notes and hits, decoded when they are first played.

The files are described in `manifest`. A zone is decoded when it is first played, which takes a few
milliseconds; `Bank.prepare` has it done beforehand by a thread. What sounds never depends on who
decoded it.
"""

from __future__ import annotations

import io
import json
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.score import DRUMS
from models.music.user_instruments import USER_PREFIX
from models.segue.studio.manifest import Manifest

FOLDER: Final = Path(__file__).resolve().parents[3] / "resources" / "instruments"
FORMAT: Final = 1
BEFORE: Final = 16  # zeros before the first sample of a decoded zone
AFTER: Final = 32  # samples after its last one, for the interpolation
RISE: Final = (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 16))).astype(np.float32)
SEAM: Final = 480
MEMORY: Final = 220_000_000  # bytes of decoded zones in the cache


@dataclass(frozen=True)
class SampleZone:
    """Recorded note or hit; see `manifest` for the fields."""

    pack: str
    number: int
    at: int
    size: int
    rate: int
    frames: int
    channels: int
    gain: float
    key: int = 60
    layer: int = 0
    velocity: int = 100
    loop: tuple[int, int] | None = None
    decay: float = 0.0
    cents: float = 0.0
    pan: float = 0.0
    name: str = ""

    @property
    def identity(self) -> tuple[str, int]:
        return self.pack, self.number


@dataclass(frozen=True)
class Hit:
    """One take of a drum: its zone, its gain within the kit and its velocity layer."""

    zone: SampleZone
    gain: float
    layer: int


@dataclass(frozen=True)
class Instrument:
    """A pitched instrument: zones by key and layer, and how it is played."""

    name: str
    zones: tuple[tuple[int, tuple[SampleZone, ...]], ...]  # key, layers from soft to loud
    low: int
    high: int
    release: float
    glide: float
    scoop: float
    lfo_beats: float
    overlap: bool
    wet: float
    effect: str
    gain: float
    serial: int = field(default=0, kw_only=True)  # tells it from what was loaded before it

    def fold(self, pitch: int) -> int:
        """The pitch moved by octaves into the compass."""
        while pitch < self.low:
            pitch += 12
        while pitch > self.high:
            pitch -= 12
        return pitch

    def release_of(self, pitch: int, velocity: int) -> float:
        """Seconds in which a note falls silent."""
        return self.release

    def silences(self, pitch: int, velocity: int, before: int, before_velocity: int) -> bool:
        """Whether a note ends another one that sounds, `before`."""
        return False

    def nearest(self, pitch: int, other: bool) -> tuple[SampleZone, ...]:
        """The layers nearest to a pitch; `other` takes the neighbour if it is not far."""
        order = sorted(self.zones, key=lambda entry: (abs(entry[0] - pitch), entry[0]))
        if other and len(order) > 1 and abs(order[1][0] - pitch) <= 3:
            return order[1][1]
        return order[0][1]


@dataclass(frozen=True)
class Kit:
    """A drum kit: the takes of each drum of the score."""

    name: str
    drums: tuple[tuple[Hit, ...], ...]
    gain: float
    serial: int = 0


class UserLibrary(Protocol):
    """The performer's own instruments that are loaded, by the names that parts have them under."""

    def instrument(self, name: str) -> Instrument | None: ...
    def kit(self, name: str) -> Kit | None: ...
    def samples(self, zone: SampleZone) -> NDArray[np.float32]: ...


NO_KIT: Final = Kit("", ((),) * len(DRUMS), 0.0)
SILENT: Final = Instrument("", (), 0, 127, 0.02, 0.0, 0.0, 0.0, True, 0.0, "", 0.0)
"""What stands for an instrument of the performer's own that is gone."""


class Bank:
    """Bank of all instruments and kits; may be used by any thread."""

    def __init__(self, folder: Path = FOLDER, user: UserLibrary | None = None) -> None:
        self.folder, self.user = folder, user
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
        except (OSError, ValueError) as error:
            raise SegueError(
                f"the instruments in {folder} cannot be read: restore them."
            ) from error
        if manifest.get("format") != FORMAT:
            raise SegueError(f"the instruments in {folder} are of another version: restore them.")
        self.manifest: Manifest = manifest
        self._zones: dict[str, tuple[SampleZone, ...]] = {}
        self._instruments: dict[str, Instrument] = {}
        self._kits: dict[str, Kit] = {}
        self._decoded: OrderedDict[tuple[str, int], NDArray[np.float32]] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._prepared: set[str] = set()

    def _pack(self, name: str) -> tuple[SampleZone, ...]:
        found = self._zones.get(name)
        if found is None:
            zones = []
            for number, entry in enumerate(self.manifest["packs"][name]["zones"]):
                zone = SampleZone(name, number, **entry)
                if zone.loop is not None:
                    zone = replace(zone, loop=(zone.loop[0], zone.loop[1]))  # JSON has lists
                zones.append(zone)
            found = tuple(zones)
            self._zones[name] = found
        return found

    def instrument(self, name: str) -> Instrument:
        """An instrument of the score, or of the performer's own (SILENT where that is not loaded);
        SegueError for one that the bank lacks.
        """
        if name.startswith(USER_PREFIX):
            return (self.user.instrument(name) if self.user else None) or SILENT
        found = self._instruments.get(name)
        if found is None:
            entry = self.manifest["instruments"].get(name)
            if entry is None:
                raise SegueError(f"the bank has no instrument '{name}': restore the instruments.")
            by_key: dict[int, list[SampleZone]] = {}
            for zone in self._pack(entry["pack"]):
                by_key.setdefault(zone.key, []).append(zone)
            zones = tuple(
                (key, tuple(sorted(layers, key=lambda z: z.layer)))
                for key, layers in sorted(by_key.items())
            )
            found = Instrument(
                name, zones, entry["low"], entry["high"], entry["release"], entry["glide"],
                entry["scoop"], entry["lfo_beats"], entry["overlap"], entry["wet"],
                entry["effect"], 10 ** (entry["gain_db"] / 20),
            )  # fmt: skip
            self._instruments[name] = found
        return found

    def kit(self, name: str) -> Kit:
        """A drum kit of the score, or of the performer's own (empty where that is not loaded);
        SegueError for one that the bank lacks.
        """
        if name.startswith(USER_PREFIX):
            return (self.user.kit(name) if self.user else None) or NO_KIT
        found = self._kits.get(name)
        if found is None:
            entry = self.manifest["kits"].get(name)
            if entry is None:
                raise SegueError(f"the bank has no drum kit '{name}': restore the instruments.")
            drums = tuple(
                tuple(Hit(self._pack(pack)[zone], gain, layer) for pack, zone, gain, layer in hits)
                for hits in entry["drums"].values()
            )
            found = self._kits[name] = Kit(name, drums, 10 ** (entry.get("gain_db", 0.0) / 20))
        return found

    def has(self, name: str, part: int) -> bool:
        """Whether an instrument of the performer's own is loaded for a part."""
        if self.user is None:
            return False
        return (self.user.instrument(name) if part else self.user.kit(name)) is not None

    def plays(self, name: str, part: int, pitch: int) -> bool:
        """Whether an instrument of the performer's own is loaded and has a note of a part."""
        if not name or self.user is None:
            return False
        if part:
            return self.has(name, part)
        kit = self.user.kit(name)
        return kit is not None and bool(kit.drums[pitch])

    def samples(self, zone: SampleZone) -> NDArray[np.float32]:
        """(channels, BEFORE + frames + AFTER) of a zone at its own level.

        Behind the end of a loop its beginning goes on; elsewhere is silence.
        """
        if self.user is not None and zone.pack.startswith(USER_PREFIX):
            return self.user.samples(zone)
        with self._lock:
            found = self._decoded.get(zone.identity)
            if found is not None:
                self._decoded.move_to_end(zone.identity)
                return found
        made = self._decode(zone)
        with self._lock:
            if zone.identity not in self._decoded:
                self._decoded[zone.identity] = made
                self._cached_bytes += made.nbytes
                while self._cached_bytes > MEMORY and len(self._decoded) > 1:
                    _, old = self._decoded.popitem(last=False)
                    self._cached_bytes -= old.nbytes
        return made

    def _decode(self, zone: SampleZone) -> NDArray[np.float32]:
        import soundfile

        try:
            with (self.folder / self.manifest["packs"][zone.pack]["file"]).open("rb") as file:
                file.seek(zone.at)
                raw = file.read(zone.size)
            audio, _ = soundfile.read(io.BytesIO(raw), dtype="float32", always_2d=True)
        except (OSError, RuntimeError) as error:
            raise SegueError(f"the instrument file {zone.pack} is damaged: restore it.") from error
        if audio.shape != (zone.frames, zone.channels):
            raise SegueError(f"the instrument file {zone.pack} is damaged: restore it.")
        end = zone.loop[1] if zone.loop else zone.frames
        out = np.zeros((zone.channels, BEFORE + end + AFTER), np.float32)
        out[:, BEFORE : BEFORE + end] = audio[:end].T * np.float32(zone.gain)
        # A recording that begins at full level would begin with a click.
        out[:, BEFORE : BEFORE + len(RISE)] *= RISE
        if zone.loop:
            start = BEFORE + zone.loop[0]
            # The loop was closed before it was compressed: its last samples are, but for the
            # noise of compression, those before its first. They are made the same.
            count = min(SEAM, zone.loop[0])
            share = np.linspace(0, 1, count, dtype=np.float32)
            last = out[:, BEFORE + end - count : BEFORE + end]
            last += (out[:, start - count : start] - last) * share
            out[:, BEFORE + end :] = out[:, start : start + AFTER]
        out.setflags(write=False)
        return out

    def prepare(self, instruments: Iterable[str], kits: Iterable[str]) -> None:
        """Decode the zones of instruments and kits on the decoding thread. Returns at once."""
        for name in instruments:
            if name not in self._prepared and name in self.manifest["instruments"]:
                self._prepared.add(name)
                zones = self.instrument(name).zones
                middle = 60
                order = sorted(zones, key=lambda entry: abs(entry[0] - middle))
                self._decode_soon(tuple(zone for _, layers in order for zone in layers))
        for name in kits:
            if name not in self._prepared and name in self.manifest["kits"]:
                self._prepared.add(name)
                self._decode_soon(tuple(hit.zone for hits in self.kit(name).drums for hit in hits))

    def submit(self, task: Callable[[], None]) -> None:
        """Run a task on the decoding thread, started when first needed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="instruments", daemon=True)
            self._thread.start()
        self._queue.put(task)

    def _decode_soon(self, zones: tuple[SampleZone, ...]) -> None:
        def decode() -> None:
            for zone in zones:
                self.samples(zone)

        self.submit(decode)

    def _work(self) -> None:
        while True:
            task = self._queue.get()
            if task is None:
                return
            try:
                task()
            except SegueError:
                pass  # raised again when the instrument is played

    def close(self) -> None:
        """Stop the decoding thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=5.0)
            self._thread = None
