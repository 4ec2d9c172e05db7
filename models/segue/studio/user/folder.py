"""Single samples and folders of them, by the names of the files."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

from models.errors import SegueError
from models.segue.studio.user.audio_files import ENDINGS, read_sample
from models.segue.studio.user.drum_sounds import drum_of_sound
from models.segue.studio.user.note_names import (
    drum_in_name,
    kind_of_name,
    note_in_name,
    velocity_in_name,
)
from models.segue.studio.user.regions import RegionSpec, UserFile, WaveSource

MAX_FILES: Final = 1000
MAX_ENTRIES: Final = 20_000
"""Names of a folder that are looked at, so that the root of a disk ends too."""
MAX_DEPTH: Final = 3
ALTERNATES: Final = 4
"""Takes of one piece or note that take turns."""
HIT_SECONDS: Final = 6.0
RELEASE: Final = 0.12


def audio_files(folder: Path) -> list[Path]:
    """Audio files of a folder and those within it, by name.

    Raises:
        SegueError: it cannot be read, or holds too much or none.

    """
    found: list[Path] = []
    seen, stack = 0, [(folder, 0)]
    try:
        while stack:
            here, depth = stack.pop()
            for path in sorted(here.iterdir()):
                seen += 1
                if seen > MAX_ENTRIES:
                    raise SegueError(
                        f"{folder.name} holds too much: give a folder of samples only."
                    )
                if path.name.startswith("."):
                    continue
                if path.is_dir() and not path.is_symlink() and depth < MAX_DEPTH:
                    stack.append((path, depth + 1))
                elif path.suffix.lower() in ENDINGS and path.is_file():
                    found.append(path)
    except OSError as error:
        raise SegueError(f"{folder} cannot be read ({error.strerror}): check the folder.") from None
    if not found:
        raise SegueError(f"{folder.name} holds no samples: give a folder of WAV files.")
    if len(found) > MAX_FILES:
        raise SegueError(f"{folder.name} holds {len(found)} files: give at most {MAX_FILES}.")
    return sorted(found)


def read_samples(path: Path, files: list[Path]) -> UserFile:
    """Pitched instrument of one sample or more.

    Args:
        path: of the file or folder.
        files: its audio files.

    """
    notes = {file: note_in_name(file.stem) for file in files}
    named = {file: note for file, note in notes.items() if note is not None}
    remarks: tuple[str, ...] = ()
    if len(files) > 1 and named and len(named) < len(files):
        remarks = (f"{len(files) - len(named)} of its files name no note and are left out",)
        notes = dict(named)
    by_note: dict[int | None, list[Path]] = defaultdict(list)
    for file, note in notes.items():
        by_note[note].append(file)
    specs: list[RegionSpec] = []
    for note, own in by_note.items():
        layers: dict[int, list[Path]] = defaultdict(list)
        for file in own:
            layers[velocity_in_name(file.stem) or 0].append(file)
        spans = _velocity_spans(len(layers))
        for (_, takes), span in zip(sorted(layers.items()), spans, strict=True):
            takes = takes if note is None else takes[:ALTERNATES]
            turns = 1 if note is None else len(takes)
            specs += [
                RegionSpec(
                    str(file), note, (note or 0, note if note is not None else 127), span,
                    loop_mode="find", release=RELEASE,
                    sequence=(turns, index + 1 if turns > 1 else 1),
                )
                for index, file in enumerate(takes)
            ]  # fmt: skip
    return UserFile(path.stem or path.name, tuple(specs), _read, remarks)


def read_hits(path: Path, files: list[Path]) -> tuple[UserFile, dict[str, str]]:
    """Drum kit of one sample or more.

    Args:
        path: of the file or folder.
        files: its audio files.

    Returns:
        The samples, and by source the piece of the kit.

    """
    pieces: dict[str, list[Path]] = defaultdict(list)
    broken: list[str] = []
    unnamed = [file for file in files if drum_in_name(file.stem) is None]
    for file in files:
        drum = drum_in_name(file.stem)
        if drum is None:
            # The folder may say it: Kicks/01.wav.
            drum = drum_in_name(file.parent.name) if file.parent != path else None
        if drum is None:
            try:
                drum = drum_of_sound(*read_sample(file, 2.0)[:2])
            except SegueError as error:
                broken.append(str(error))
                continue
        pieces[drum].append(file)
    if not pieces:
        raise SegueError(broken[0] if broken else f"{path.name} holds no hits.")
    specs: list[RegionSpec] = []
    drum_of: dict[str, str] = {}
    for drum, own in pieces.items():
        takes = _takes(own)
        strengths = [velocity_in_name(file.stem) or 0 for file in takes]
        middle = (max(strengths) + min(strengths)) / 2
        for file, strength in zip(takes, strengths, strict=True):
            soft = strength < middle
            specs.append(
                RegionSpec(str(file), 60, velocities=(1, 77) if soft else (78, 127),
                           loop_mode="one_shot")
            )  # fmt: skip
            drum_of[str(file)] = drum
    remarks = []
    if unnamed and len(files) > 1:
        remarks.append(f"{len(unnamed)} of its files are placed by their sound")
    if broken:
        remarks.append(f"{len(broken)} of its files cannot be read")
    return UserFile(path.stem or path.name, tuple(specs), _read, tuple(remarks)), drum_of


def _takes(files: list[Path]) -> list[Path]:
    """Takes of one drum: those that differ in a number or strength only, of the kind that has the
    most.
    """
    kinds = {file: kind_of_name(file.stem) for file in files}
    most = Counter(kinds.values()).most_common(1)[0][0]
    return [file for file in files if kinds[file] == most][: 2 * ALTERNATES]


def _velocity_spans(count: int) -> list[tuple[int, int]]:
    """Ranges of velocities of so many layers, the upper ones narrower as players play."""
    edges = [round(127 * (index / count) ** 0.75) for index in range(count + 1)]
    return [(low + 1 if low else 0, high) for low, high in pairwise(edges)]


def _read(source: str, seconds: float) -> WaveSource:
    return read_sample(Path(source), seconds)
