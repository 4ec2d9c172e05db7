"""Parameters of single parts: which an engine has, and the controls that they make."""

from __future__ import annotations

import pytest

from app.cli.render import parts_of
from app.parameters.catalogue import SCENE_PATTERNS, build_registry, matches
from app.parameters.part_parameters import REROLLS, part_controls, set_engine_parts
from models.engine.parts import PART_CONTROLS, check_parts
from models.music.score import PARTS


def test_an_engine_has_the_parameters_of_its_parts_and_no_others() -> None:
    registry = build_registry()
    names = registry.names("part.*")
    assert len(names) == 5 * 9 - 1  # an instrument has an auto switch, the drums no octave
    assert not registry.names("part.*", available_only=True)
    set_engine_parts(registry, PARTS, PART_CONTROLS)
    assert registry.names("part.*", available_only=True) == names
    set_engine_parts(registry, ("drums", "lead"), ("level", "reroll"))
    assert registry.names("part.*", available_only=True) == [
        "part.drums.level", "part.drums.reroll", "part.lead.level", "part.lead.reroll",
    ]  # fmt: skip


def test_a_scene_stores_what_has_a_value() -> None:
    registry = build_registry()
    for name in registry.names("part.*"):
        kept = name not in REROLLS and not name.endswith(".auto")
        assert matches(name, SCENE_PATTERNS) == kept, name


def test_values_as_controls() -> None:
    registry = build_registry()
    set_engine_parts(registry, PARTS, PART_CONTROLS)
    assert not part_controls({}) and not part_controls(
        {name: registry.get(name) for name in registry.names("part.*")}
    )
    registry.set_unit("part.lead.level", 0.0)
    registry.nudge("part.lead.octave", 1.0)
    registry.set("part.drums.instrument", "tr808", "osc")
    registry.set("part.bass.lock", 1.0, "midi")
    found = part_controls({name: registry.get(name) for name in registry.names("part.*")})
    assert found == check_parts(
        {
            "lead": {"level": -60, "octave": 1},
            "drums": {"instrument": "tr808"},
            "bass": {"lock": True},
        }
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {}),
        ("lead.level=-6 lead.octave=-1", {"lead": {"level": -6.0, "octave": -1}}),
        ("bass.mute drums.lock=on", {"bass": {"mute": True}, "drums": {"lock": True}}),
        ("drums.dry bass.dry=off", {"drums": {"dry": True}}),
        ("bass.mute=off chords.instrument=organ", {"chords": {"instrument": "organ"}}),
    ],
)
def test_parts_of_the_command_line(arguments: str, expected: object) -> None:
    assert parts_of(arguments.split()) == check_parts(expected)
