"""`python main.py models list|export|import|delete`: the learned sounds. No network."""

from __future__ import annotations

from argparse import Namespace

from models.engine.sounds import PREFIX
from models.errors import SegueError
from models.sounds.description import describe
from models.sounds.library import SoundLibrary
from models.teaching.plan import delete_course


def list_sounds() -> None:
    """Print a line for each learned sound, or why it cannot be used."""
    library = SoundLibrary()
    names = library.names()
    width = max((len(name) for name in names), default=0) + len(PREFIX)
    for name in names:
        try:
            text = describe(library.get(name))
        except SegueError as error:
            text = f"cannot be used: {error}"
        print(f"{PREFIX + name:<{width}}  {text}")


def export_sound(chosen: Namespace) -> int:
    """Write a learned sound to a file."""
    print(f"{chosen.name} is in {SoundLibrary().export(chosen.name, chosen.file)}")
    return 0


def import_sound(chosen: Namespace) -> int:
    """Take the file of a learned sound in."""
    sound = SoundLibrary().take_in(chosen.file, chosen.name)
    print(f"{PREFIX}{sound.name} can be played: {describe(sound)}")
    return 0


def delete_sound(chosen: Namespace) -> int:
    """Delete a learned sound, and what teaching kept to go on from; either may be there alone."""
    library = SoundLibrary()
    known = library.path(chosen.name).exists()
    kept = delete_course(chosen.name)  # first: it says if the sound is being taught
    if known or not kept:
        library.delete(chosen.name)
    course = f"what teaching had kept of it ({max(kept / 1e6, 0.1):.1f} MB)" if kept else ""
    what = ", and ".join(filter(None, (chosen.name if known else "", course)))
    print(f"deleted: {what}")
    return 0
