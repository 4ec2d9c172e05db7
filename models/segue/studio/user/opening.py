"""Opening of files and folders as instruments: their regions, read and built."""

from __future__ import annotations

from pathlib import Path

from models.music.user_instruments import UserInstrumentName
from models.segue.studio.user.build import build_instrument
from models.segue.studio.user.folder import audio_files, read_hits, read_samples
from models.segue.studio.user.kit import build_kit
from models.segue.studio.user.naming import digest_of, kind_of
from models.segue.studio.user.regions import Built, UserFile
from models.segue.studio.user.sfz import read_sfz
from models.segue.studio.user.soundfont import read_soundfont


def open_instrument(parsed: UserInstrumentName, serial: int, drums: bool) -> Built:
    """Read an instrument or kit.

    Args:
        parsed: its name.
        serial: of this loading.
        drums: whether a kit is wanted.

    Raises:
        SegueError: it is not there, or cannot be played.

    """
    name = str(parsed)
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
        built = build_kit(file, name, serial, drum_of)
    else:
        built = build_instrument(file, name, serial, open_ends=kind in ("folder", "sample"))
    if digest_of(Path(parsed.path)) == parsed.digest:
        return built
    changed = "it has changed since it was chosen, so it may sound differently"
    return Built(built.sound, built.samples, (*built.remarks, changed))
