"""Controls of single parts: valid values, their plain form, sentences for others, gains."""

from __future__ import annotations

import pickle

import pytest

from models import Controls, SegueError
from models.engine.parts import FIELDS, PartControls, PartMap, check_parts
from models.music.instruments import SUITABLE
from models.music.score import PARTS


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ("lead", "parts is 'lead': write for example"),
        ({"oboe": {}}, "there is no part 'oboe': choose from drums, bass, chords, lead, extra"),
        ({"lead": 3}, "lead is 3: write for example"),
        ({"lead": {"volume": 1}}, "a part has no 'volume': choose from level, mute"),
        ({"lead": {"level": 7}}, "level of lead is 7: give a number from -60 to 6"),
        ({"lead": {"level": "loud"}}, "level of lead is 'loud'"),
        ({"lead": {"level": float("nan")}}, "level of lead is nan"),
        ({"lead": {"level": True}}, "level of lead is True"),
        ({"lead": {"mute": 1}}, "mute of lead is 1: write true or false"),
        ({"lead": {"dry": 1}}, "dry of lead is 1: write true or false"),
        ({"lead": {"octave": 3}}, "octave of lead is 3: give a whole number from -2 to 2"),
        ({"lead": {"octave": 0.5}}, "octave of lead is 0.5"),
        ({"drums": {"octave": 1}}, "the drums have no octave"),
        ({"bass": {"instrument": "kazoo"}}, "'kazoo' cannot play the bass: choose one such as"),
        ({"drums": {"instrument": "flute"}}, "'flute' cannot play the drums"),
        ({"chords": {"instrument": "flute"}}, "'flute' cannot play the chords"),
    ],
)
def test_wrong_values_are_refused_in_words(parts: object, words: str) -> None:
    with pytest.raises(SegueError, match=words):
        Controls(parts=parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reroll", "words"), [("lead", "give a list of parts"), (["oboe"], "there is no part 'oboe'")]
)
def test_only_parts_are_rolled_again(reroll: object, words: str) -> None:
    with pytest.raises(SegueError, match=words):
        Controls(reroll=reroll)  # type: ignore[arg-type]


def test_values_take_their_plain_form_and_defaults_are_left_out() -> None:
    given = {"lead": {"level": -6, "instrument": "flute"}, "bass": {}}
    controls = Controls(parts=given, reroll=["bass"])  # type: ignore[arg-type]
    assert dict(controls.parts) == {"lead": PartControls(level=-6.0, instrument="flute")}
    assert controls.reroll == frozenset({"bass"})
    assert controls == Controls(parts=PartMap(controls.parts), reroll=frozenset({"bass"}))
    assert hash(controls) == hash(pickle.loads(pickle.dumps(controls)))
    assert Controls(parts=None, reroll=None) == Controls()  # type: ignore[arg-type]
    assert Controls().strength_of("parts") == 0.0 and controls.strength_of("reroll") == 1.0


def test_a_file_s_form_is_read_again() -> None:
    parts = check_parts(
        {"lead": {"lock": True, "octave": -1}, "drums": {"instrument": "tr808", "dry": True}}
    )
    assert parts.as_json() == {
        "drums": {"instrument": "tr808", "dry": True},
        "lead": {"lock": True, "octave": -1},
    }
    assert check_parts(parts.as_json()) == parts and parts.dry == {"drums"}


@pytest.mark.parametrize(
    ("parts", "gains"),
    [
        ({}, (1, 1, 1, 1, 1)),
        ({"bass": {"mute": True}}, (1, 0, 1, 1, 1)),
        ({"bass": {"solo": True}}, (0, 1, 0, 0, 0)),
        ({"bass": {"solo": True, "mute": True}, "lead": {"solo": True}}, (0, 0, 0, 1, 0)),
        ({"bass": {"solo": True}, "drums": {"level": 6}}, (0, 1, 0, 0, 0)),
        ({"drums": {"level": -60}}, (0, 1, 1, 1, 1)),
        ({"drums": {"level": 6}}, (pytest.approx(1.995, abs=1e-3), 1, 1, 1, 1)),
    ],
)
def test_gains(parts: object, gains: tuple[float, ...]) -> None:
    assert check_parts(parts).gains() == gains


def test_every_part_can_be_played_by_something() -> None:
    assert set(SUITABLE) == set(PARTS) and set(FIELDS) == set(PartControls.__annotations__)
    for names in SUITABLE.values():
        assert len(names) >= 10 and "none" not in names and len(set(names)) == len(names)
    assert "acoustic_bass" in SUITABLE["bass"] and "acoustic_bass" not in SUITABLE["lead"]
