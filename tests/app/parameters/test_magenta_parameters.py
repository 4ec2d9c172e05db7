"""Parameters of Magenta's keys, drums, sampling and presets; no Qt."""

from __future__ import annotations

import pytest

from app.parameters.catalogue import build_registry, set_engine_controls
from app.parameters.magenta_parameters import PRESET_TRIGGERS
from app.parameters.parameter import Value
from app.parameters.registry import Registry
from app.session.document import Scene
from app.session.session import Session
from app.session.steering import StyleBook, steer
from models.engine.controls import Controls
from models.magenta_rt2.conditioning import CONTROLS
from models.magenta_rt2.presets import PRESETS

NAMES = ("note_width", "note_onsets", "drums", "temperature", "top_k", *PRESET_TRIGGERS)


@pytest.fixture
def registry() -> Registry:
    registry = build_registry()
    set_engine_controls(registry, CONTROLS)
    return registry


def test_they_come_and_go_with_the_engine(registry: Registry) -> None:
    assert all(registry.available(name) for name in NAMES)
    set_engine_controls(registry, frozenset({"style", "notes", "mute"}))
    assert not any(registry.available(name) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("note_width", 0.0, "off"),
        ("note_width", 1.0, "1 st"),
        ("note_width", 126.0, "126 st"),
        ("note_width", 127.0, "all"),
        ("temperature", None, "auto"),
        ("temperature", 1.1, "1.10"),
        ("top_k", 100.0, "100"),
        ("note_onsets", "strike", "strike"),
    ],
)
def test_as_text(registry: Registry, name: str, value: Value, text: str) -> None:
    assert registry[name].text(value) == text


@pytest.mark.parametrize(
    ("name", "value", "drums", "stem"),
    [
        ("drums", "off", "off", False),
        ("drums", "on", "on", True),
        ("stem.drums", False, "off", False),
    ],
)
def test_drums_and_their_stem_are_one(
    registry: Registry, name: str, value: Value, drums: str, stem: bool
) -> None:
    registry.set(name, value, "midi")
    assert (registry.get("drums"), registry.get("stem.drums")) == (drums, stem)
    registry.set("stem.drums", True, "midi")
    assert registry.get("drums") == ("on" if value == "on" else "auto")
    registry.set("drums", "off", "osc")
    registry.set("drums", "auto", "osc")
    assert registry.get("stem.drums") is True


def test_a_scene_from_before_turns_the_drums_off(registry: Registry) -> None:
    with registry.batch():
        registry.set("stem.drums", False, "scene")
    assert registry.get("drums") == "off"
    with registry.batch():
        registry.set("drums", "on", "scene")
        registry.set("stem.drums", True, "scene")
    assert registry.get("drums") == "on"


def test_drums_taken_over_from_another_engine() -> None:
    registry = build_registry()
    set_engine_controls(registry, frozenset({"mute"}))
    registry.set("stem.drums", False)
    assert registry.get("drums") == "auto"
    set_engine_controls(registry, CONTROLS)
    assert registry.get("drums") == "off"


def test_drums_are_one_step_of_undo() -> None:
    session = Session()
    set_engine_controls(session.registry, CONTROLS)
    session.registry.set("stem.drums", False, "midi")
    session.registry.set("drums", "on", "window")
    assert session.undo() and session.registry.get("drums") == "off"
    assert session.registry.get("stem.drums") is False
    assert session.undo() and session.registry.get("drums") == "auto"
    assert session.registry.get("stem.drums") is True and not session.can_undo


@pytest.mark.parametrize(
    ("values", "triggers", "expected"),
    [
        ({}, "", {}),  # of an older session
        ({"note_width": 127.0}, "", {"note_width": 127.0}),
        ({"note_onsets": "strike"}, "", {"note_onsets": "strike"}),
        ({"drums": "on", "stem.drums": True}, "", {"drums": True}),
        ({"drums": "off", "stem.drums": False}, "", {"drums": False}),
        ({"drums": "auto"}, "", {}),
        ({"stem.drums": False}, "", {"drums": False}),
        ({"temperature": 1.0, "top_k": None}, "", {"temperature": 1.0}),
        ({"top_k": 100.0, "chaos": 0.2}, "", {"top_k": 100.0, "chaos": 0.2}),
        ({}, "strike.60 strike.64", {"strikes": (60, 64)}),
    ],
)
def test_steering(values: dict[str, Value], triggers: str, expected: dict[str, object]) -> None:
    names = frozenset(triggers.split())
    found = steer(Scene("", (), values), StyleBook(), CONTROLS, triggers=names).controls
    assert found == Controls(note_width=values.get("note_width"), **{  # type: ignore[arg-type]
        name: value for name, value in expected.items() if name != "note_width"
    })  # fmt: skip
    others = steer(Scene("", (), values), StyleBook(), frozenset(), triggers=names).controls
    assert others == Controls()


def test_presets_are_in_reach(registry: Registry) -> None:
    """As published: see `models/magenta_rt2/presets.py`."""
    rows = {name: tuple(preset.values.values()) for name, preset in PRESETS.items()}
    assert rows == {
        "python": (1.3, 40, 3.0, 1.0, 1.0),
        "runtime": (1.0, 100, 3.0, 5.0, 1.0),
        "app": (1.1, 50, 1.6, 2.4, 4.0),
        "collider": (1.1, 50, 5.0, 0.0, 4.0),
    }
    for preset in PRESETS.values():
        for name, value in preset.values.items():
            assert registry.set(name, value) or registry.get(name) == value
