"""Library of the performer's own instruments: what is loaded, and the loading.

Loading reads files and takes as long as it takes: it is done by whoever can wait, never by the
inference thread, which only asks what is there. What is not there sounds as the part's automatic
instrument.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.user_instruments import UserInstrumentName, parse_user_instrument
from models.segue.studio.bank import AFTER, BEFORE, Kit, SampleZone
from models.segue.studio.user.audio_files import ENDINGS
from models.segue.studio.user.build import Built, build_instrument
from models.segue.studio.user.folder import audio_files, read_hits, read_samples
from models.segue.studio.user.kit import build_kit
from models.segue.studio.user.regions import UserFile, UserInstrument
from models.segue.studio.user.sfz import read_sfz
from models.segue.studio.user.soundfont import read_soundfont

MEMORY: Final = 512_000_000
"""Bytes of all that is loaded; what was played longest ago goes."""
SOUNDFONTS: Final = frozenset({".sf2", ".sf3"})
DIGEST_PIECE: Final = 4_000_000
"""Bytes at both ends of a file that its digest counts; and its length."""
FEW_BYTES: Final = 65_536


class UserInstruments:
    """Loaded instruments and kits; may be used by any thread."""

    def __init__(self, memory: int = MEMORY) -> None:
        self.memory = memory
        self._loaded: OrderedDict[tuple[str, bool], Built] = OrderedDict()
        self._samples: dict[tuple[str, int], NDArray[np.float32]] = {}
        self._serial = 0
        self._lock = threading.Lock()  # of the tables, held for a moment
        self._loading = threading.Lock()  # one is loaded at a time

    def load(self, name: str, drums: bool) -> tuple[str, ...]:
        """Load an instrument or kit, if it is not there yet. Blocks.

        Args:
            name: as a part's `instrument` has it.
            drums: whether the drums play it.

        Returns:
            What must be said about it, in clauses without a full stop.

        Raises:
            SegueError: it is not there, or cannot be played.

        """
        parsed = parse_user_instrument(name)
        if parsed is None:
            raise SegueError(f"'{name}' names no file: give a sample, a folder, an SFZ or an SF2.")
        with self._loading:
            with self._lock:
                found = self._loaded.get((name, drums))
            if found is not None:
                return found.remarks
            self._serial += 1
            try:
                built = _built(parsed, name, self._serial, drums)
                changed = digest_of(Path(parsed.path)) != parsed.digest
            except (OSError, ValueError, MemoryError, RecursionError) as error:
                raise SegueError(
                    f"{parsed.path} cannot be played ({error}): give another file."
                ) from error
            if changed:
                text = "it has changed since it was chosen, so it may sound differently"
                built = Built(built.sound, built.samples, (*built.remarks, text))
            self._put((name, drums), built)
            return built.remarks

    def _put(self, key: tuple[str, bool], built: Built) -> None:
        pack = _pack_of(built)
        with self._lock:
            self._loaded[key] = built
            for number, planes in built.samples.items():
                self._samples[pack, number] = planes
            while sum(b.size for b in self._loaded.values()) > self.memory:
                if len(self._loaded) == 1:
                    break
                _, old = self._loaded.popitem(last=False)
                gone = _pack_of(old)
                for number in old.samples:
                    self._samples.pop((gone, number), None)

    def unload(self, name: str) -> None:
        """Forget an instrument; notes of it that sound fall silent."""
        with self._lock:
            for drums in (False, True):
                old = self._loaded.pop((name, drums), None)
                if old is not None:
                    for number in old.samples:
                        self._samples.pop((_pack_of(old), number), None)

    def instrument(self, name: str) -> UserInstrument | None:
        """A pitched instrument; None where it is not loaded. Never blocks for long."""
        found = self._sound(name, drums=False)
        return found if isinstance(found, UserInstrument) else None

    def kit(self, name: str) -> Kit | None:
        """A drum kit; None where it is not loaded."""
        found = self._sound(name, drums=True)
        return found if isinstance(found, Kit) else None

    def _sound(self, name: str, drums: bool) -> UserInstrument | Kit | None:
        with self._lock:
            found = self._loaded.get((name, drums))
            if found is None:
                return None
            self._loaded.move_to_end((name, drums))
            return found.sound

    def samples(self, zone: SampleZone) -> NDArray[np.float32]:
        """(channels, BEFORE + frames + AFTER) of a zone; silence where it has gone."""
        found = self._samples.get(zone.identity)
        if found is None:
            return np.zeros((zone.channels, BEFORE + zone.frames + AFTER), np.float32)
        return found


@lru_cache(maxsize=1)
def user_instruments() -> UserInstruments:
    """The library of this process: what the window has loaded, the engine plays."""
    return UserInstruments()


def name_of(path: Path, preset: tuple[int, int] | None = None) -> str:
    """What a part's `instrument` is for a file or folder. Reads it.

    Args:
        path: of a sample, a folder of samples, an SFZ or a SoundFont.
        preset: bank and program of a SoundFont.

    Raises:
        SegueError: there is nothing there, or of another kind.

    """
    path = path.expanduser().absolute()
    try:
        digest = digest_of(path)
    except OSError as error:
        raise SegueError(f"{path} cannot be read ({error.strerror}): check the file.") from None
    name = str(UserInstrumentName(digest, str(path), preset))
    if parse_user_instrument(name) is None:
        raise SegueError(f"the path of {path.name} is too long: move it up a few folders.")
    return name


def digest_of(path: Path) -> str:
    """Digest of what a file or folder holds, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in audio_files(path):
            digest.update(str(file.relative_to(path)).encode())
            _count(digest, file, FEW_BYTES)
    else:
        kind_of(path)
        _count(digest, path, DIGEST_PIECE)
    return digest.hexdigest()[:16]


def kind_of(path: Path) -> str:
    """Of "folder", "sample", "sfz", "soundfont". SegueError for what is none of them."""
    ending = path.suffix.lower()
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise SegueError(f"there is no file {path}: the automatic instrument plays instead.")
    if ending in SOUNDFONTS:
        return "soundfont"
    if ending in ENDINGS or ending == ".sfz":
        return "sfz" if ending == ".sfz" else "sample"
    raise SegueError(
        f"{path.name} is no instrument: give a WAV, a folder of samples, an SFZ or an SF2 file."
    )


def _count(digest: hashlib._Hash, path: Path, piece: int) -> None:
    with path.open("rb") as file:
        digest.update(file.read(piece))
        size = file.seek(0, 2)
        if size > piece:
            file.seek(max(piece, size - piece))
            digest.update(file.read(piece))
        digest.update(str(size).encode())


def _built(parsed: UserInstrumentName, name: str, serial: int, drums: bool) -> Built:
    path = Path(parsed.path)
    kind = kind_of(path)
    if kind == "folder":
        inside = sorted(path.glob("*.[sS][fF][zZ]"))
        if len(inside) == 1:
            path, kind = inside[0], "sfz"
    file: UserFile
    drum_of = None
    if kind == "sfz":
        file = read_sfz(path)
    elif kind == "soundfont":
        file = read_soundfont(path, parsed.preset, drums)
    else:
        files = audio_files(path) if kind == "folder" else [path]
        if drums:
            file, drum_of = read_hits(path, files)
        else:
            file = read_samples(path, files)
    if drums:
        return build_kit(file, name, serial, drum_of)
    return build_instrument(file, name, serial, open_ends=kind in ("folder", "sample"))


def _pack_of(built: Built) -> str:
    if isinstance(built.sound, UserInstrument):
        return built.sound.regions[0].zone.pack
    return next(hit.zone.pack for hits in built.sound.drums for hit in hits)
