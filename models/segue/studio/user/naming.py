"""Names of the performer's own instruments by their files: kind, digest, and what they offer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.music.user_instruments import UserInstrumentName, parse_user_instrument
from models.segue.studio.user.audio_files import ENDINGS
from models.segue.studio.user.folder import audio_files
from models.segue.studio.user.soundfont import DRUM_BANK
from models.segue.studio.user.soundfont_file import open_soundfont

SOUNDFONTS: Final = frozenset({".sf2", ".sf3"})
DIGEST_PIECE: Final = 4_000_000
"""Bytes at both ends of a file that its digest counts; and its length."""
FEW_BYTES: Final = 65_536


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


def names_in_file(path: Path, drums: bool) -> tuple[tuple[str, str], ...]:
    """Instruments that a file or folder offers to a part, the first of them to be played first.

    Args:
        path: of a sample, a folder of samples, an SFZ or a SoundFont.
        drums: whether the drums are to play it.

    Returns:
        The name of each, and what it is called.

    Raises:
        SegueError: there is nothing there, or of another kind.

    """
    path = path.expanduser().absolute()
    if kind_of(path) != "soundfont":
        return ((name_of(path), path.stem or path.name),)
    presets = open_soundfont(path).presets
    fitting = [p for p in presets if (p.bank == DRUM_BANK) == drums] or list(presets)
    digest = digest_of(path)
    return tuple(
        (str(UserInstrumentName(digest, str(path), (p.bank, p.program))), p.name or path.stem)
        for p in fitting
    )


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
        raise SegueError(
            f"there is no file {path}: restore it; without it the automatic instrument plays."
        )
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
