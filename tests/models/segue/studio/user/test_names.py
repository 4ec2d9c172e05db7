"""What names of samples say, by tables."""

from __future__ import annotations

import pytest

from models.music.user_instruments import is_user_instrument, parse_user_instrument
from models.segue.studio.user.note_names import (
    drum_in_name,
    midi_note,
    note_in_name,
    velocity_in_name,
)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("Piano C4", 60), ("cello_F#3_v2", 54), ("Bb2", 46), ("pad-a-1", 9), ("kalimba 057", 57),
        ("strings 60 v100", 60), ("vox", None), ("E-Piano", None), ("take 2", None),
        ("Gtr_D#4_RR1", 63), ("kick", None), ("A4 cello C3", 48),
    ],
)  # fmt: skip
def test_note_in_name(name: str, note: int | None) -> None:
    assert note_in_name(name) == note


@pytest.mark.parametrize(
    ("text", "note"), [("60", 60), ("c4", 60), ("c#4", 61), ("C-1", 0), ("128", None), ("", None)]
)
def test_midi_note(text: str, note: int | None) -> None:
    assert midi_note(text) == note


@pytest.mark.parametrize(
    ("name", "velocity"),
    [
        ("C4_v2", 2),
        ("C4 vel100", 100),
        ("piano_pp_A3", 33),
        ("piano A3", None),
        ("x_ff", 112),
        ("snap-Softest", 20),
    ],
)
def test_velocity_in_name(name: str, velocity: int | None) -> None:
    assert velocity_in_name(name) == velocity


@pytest.mark.parametrize(
    ("name", "drum"),
    [
        ("Kick_01", "kick"), ("BD 808", "kick"), ("MyBassDrum", "kick"), ("SD-12", "snare"),
        ("SnareTop", "snare"), ("Hat Closed", "hat"), ("Open Hi-Hat", "open_hat"),
        ("OH3", "open_hat"), ("Floor Tom", "tom_low"), ("Tom 1", "tom_high"), ("Crash L", "crash"),
        ("CowBell", "bell"), ("Clap", "clap"), ("Rimshot", "rim"), ("Conga Low", "perc_low"),
        ("Shaker 2", "shaker"), ("hhat-open-p", "open_hat"), ("hhclosed_01", "hat"),
        ("T3", "tom_low"), ("closehihat3", "hat"), ("Fingersnap-Hard", "clap"),
        ("hhopen_00", "open_hat"), ("aaa", None), ("china", "crash"), ("Ride Bell", "bell"),
    ],
)  # fmt: skip
def test_drum_in_name(name: str, drum: str | None) -> None:
    assert drum_in_name(name) == drum


def test_names_of_instruments() -> None:
    digest = "0123456789abcdef"
    name = f"user:{digest}:/a/b c#2.sf2#128.3"
    parsed = parse_user_instrument(name)
    assert parsed is not None and str(parsed) == name
    assert (parsed.path, parsed.preset, parsed.label) == ("/a/b c#2.sf2", (128, 3), "b c#2 128.3")
    plain = parse_user_instrument(f"user:{digest}:C:\\x\\y.wav")
    assert plain is not None and plain.preset is None
    for other in (
        "flute",
        "user:",
        "user:12:/a",
        f"user:{digest}:",
        f"user:{digest}:a\0b",
        3,
        None,
    ):
        assert not is_user_instrument(other)
