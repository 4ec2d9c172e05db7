"""What names of samples say: the note, the velocity, the piece of a drum kit. Pure logic."""

from __future__ import annotations

import re
from typing import Final

_LETTERS: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NOTE: Final = re.compile(r"([a-g])([#b♯♭s]?)(-?[0-9])", re.IGNORECASE)
_NOTE_INSIDE: Final = re.compile(r"(?<![A-Za-z0-9])([A-Ga-g])([#b♯♭s]?)(-?[0-9])(?![A-Za-z0-9#])")
_NUMBER_INSIDE: Final = re.compile(r"(?<![0-9])(0?[2-9][0-9]|1[01][0-9]|12[0-7])(?![0-9])")
_VELOCITY: Final = re.compile(
    r"(?<![A-Za-z])(?:v|vel|velocity|l|layer)[ _-]?(\d{1,3})(?!\d)", re.IGNORECASE
)
_DYNAMICS: Final = {
    "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 127,
    "softest": 20, "soft": 45, "med": 72, "medium": 72, "hard": 100, "loud": 100, "hardest": 122,
}  # fmt: skip
_DYNAMIC: Final = re.compile(
    rf"(?<![A-Za-z])({'|'.join(sorted(_DYNAMICS, key=len, reverse=True))})(?![A-Za-z])",
    re.IGNORECASE,
)
_HATS: Final = "(?:hi ?hats?|hh?ats?)"
_HAT: Final = rf"(closed?|pedal)? ?{_HATS}|chh?|hh ?(c|f|p|closed?|pedal|foot)?|hatcl|closed"
_LOW, _HIGH = "(?:floor|low|lo|l)", "(?:high|hi|h|mid|rack|m)"
_HAND: Final = "(?:conga|bongo|djembe|perc(?:ussion)?|tabla|timbale)s?"
_WORDS: Final[tuple[tuple[str, str], ...]] = (
    # The first that is found counts, so what is more particular comes first.
    ("open_hat", rf"open ?{_HATS}|{_HATS} ?open|ohh?|hh ?o(pen)?|hatop"),
    ("hat", _HAT),
    ("tambourine", r"tamb(ourine)?s?|tmb"),
    ("shaker", r"shakers?|maracas?|cabasa|shk|egg|caxixi"),
    ("bell", r"cow ?bells?|agogos?|claves?|wood ?blocks?|triangle|bells?|cb|clv"),
    ("perc_low", rf"surdo|lc|{_HAND} ?(low|lo|l|bass)|(low|lo|l|bass) ?{_HAND}"),
    ("perc_high", rf"hc|{_HAND} ?(high|hi|h|slap)|(high|hi|h|slap) ?{_HAND}"),
    ("perc_mid", rf"{_HAND}|cajon|mc"),
    ("clap", r"claps?|hand ?claps?|cp|clp|(finger)? ?snaps?"),
    ("rim", r"rim( ?shots?)?|side ?sticks?|cross ?sticks?|rs|sticks?"),
    ("tom_low", rf"{_LOW} ?toms?|toms? ?({_LOW}|3|4)|lt|ft|t ?[34]"),
    ("tom_high", rf"{_HIGH} ?toms?|toms?( ?({_HIGH}|1|2))?|ht|mt|t ?[12]"),
    ("ride", r"rides?|rd|rc"),
    ("crash", r"crash(es)?|cymbals?|cr|cy|splash|china"),
    ("snare", r"j?snares?|sd|sn|snr"),
    ("kick", r"kicks?|bass ?drums?|bd|kik|kd|kck"),
)  # fmt: skip
_DRUMS: Final = tuple(
    (drum, re.compile(rf"(?<![a-z])(?:{words})(?![a-z])")) for drum, words in _WORDS
)


def midi_note(text: str) -> int | None:
    """MIDI note of a number or a name such as 'c4' (60), 'F#3' or 'eb2'; None for another text."""
    text = text.strip()
    if re.fullmatch(r"\d{1,3}", text):
        return int(text) if int(text) <= 127 else None
    match = _NOTE.fullmatch(text)
    return None if match is None else _midi(*match.groups())


def note_in_name(name: str) -> int | None:
    """MIDI note that a file's name tells: 'Piano_A#3_v2' or 'cello 057'; None where it tells none.

    Args:
        name: without its ending.

    """
    notes = [_midi(*match.groups()) for match in _NOTE_INSIDE.finditer(name.replace("_", " "))]
    known = [note for note in notes if note is not None]
    if known:
        return known[-1]
    numbers = _NUMBER_INSIDE.findall(_VELOCITY.sub(" ", name))
    return int(numbers[-1]) if numbers else None


def velocity_in_name(name: str) -> int | None:
    """Velocity layer that a file's name tells, as a number that grows with it; None for none."""
    plain = name.replace("_", " ")
    match = _VELOCITY.search(plain)
    if match is not None:
        return int(match.group(1))
    dynamic = _DYNAMIC.search(plain)
    return None if dynamic is None else _DYNAMICS[dynamic.group(1).lower()]


def drum_in_name(name: str) -> str | None:
    """Piece of `models.music.score.DRUMS` that a file's name tells; None where it tells none."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = re.sub(r"[^a-z0-9]+", " ", split.lower())
    return next((drum for drum, pattern in _DRUMS if pattern.search(plain)), None)


def _midi(letter: str, accidental: str, octave: str) -> int | None:
    step = {"#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}.get(accidental.lower(), 0)
    note = 12 * (int(octave) + 1) + _LETTERS[letter.lower()] + step
    return note if 0 <= note <= 127 else None


def kind_of_name(name: str) -> str:
    """A file's name without what tells takes and strengths apart."""
    plain = _DYNAMIC.sub("#", name.replace("_", " "))
    return re.sub(r"[\d#]+", "#", plain.lower()).strip("# -")
