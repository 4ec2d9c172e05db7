"""The parameter registry: curves, auto, triggers, listeners, what cannot be a value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.parameters.catalogue import build_registry, set_engine_controls, set_prompt_count
from app.parameters.parameter import Parameter
from app.parameters.registry import Change, Registry
from models.errors import SegueError


def make() -> Registry:
    registry = Registry()
    registry.add(Parameter("tempo", "Tempo", low=60, high=180, default=None, auto=True, unit="bpm"))
    registry.add(Parameter("time", "Time", low=0.5, high=128, default=8.0, curve="logarithmic"))
    registry.add(Parameter("volume", "Vol", low=-60, high=0, default=-6, curve="taper", unit="dB"))
    registry.add(Parameter("mute", "Mute", "switch", default=False))
    registry.add(Parameter("mode", "Mode", "choice", default="a", choices=("a", "b", "c")))
    registry.add(Parameter("go", "Go", "trigger"))
    return registry


@pytest.mark.parametrize(
    ("name", "position", "value"),
    [
        ("tempo", 0.0, 60.0),
        ("tempo", 0.25, 90.0),
        ("tempo", 1.0, 180.0),
        ("tempo", 7.0, 180.0),
        ("time", 0.0, 0.5),
        ("time", 0.5, 8.0),
        ("time", 1.0, 128.0),
        ("volume", 0.0, -60.0),
        ("volume", 0.25, -30.0),
        ("volume", 1.0, 0.0),
        ("mute", 0.49, False),
        ("mute", 0.5, True),
        ("mode", 0.0, "a"),
        ("mode", 0.6, "b"),
        ("mode", 1.0, "c"),
    ],
)
def test_position_to_value(name: str, position: float, value: object) -> None:
    registry = make()
    registry.set_unit(name, position)
    got = registry.get(name)
    assert got == pytest.approx(value) if isinstance(value, float) else got == value


@given(st.sampled_from(["tempo", "time", "volume"]), st.floats(0, 1))
def test_curves_invert(name: str, position: float) -> None:
    parameter = make()[name]
    assert parameter.to_unit(parameter.from_unit(position)) == pytest.approx(position, abs=1e-9)


def test_auto_has_a_switch_and_remembers_the_hand() -> None:
    registry = make()
    changes: list[Change] = []
    registry.subscribe(changes.append)
    assert registry.get("tempo") is None and registry.get("tempo.auto") is True
    registry.set("tempo", 100.0, "midi")
    assert [(c.name, c.value) for c in changes] == [("tempo", 100.0), ("tempo.auto", False)]
    registry.set("tempo.auto", True)
    assert registry.get("tempo") is None and registry.get_unit("tempo") == pytest.approx(1 / 3)
    registry.set("tempo.auto", False)
    assert registry.get("tempo") == 100.0
    registry.nudge("tempo", 2)
    assert registry.get("tempo") == pytest.approx(100.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tempo", math.nan),
        ("tempo", "fast"),
        ("volume", None),
        ("mode", "z"),
        ("mute", "on"),
        ("nowhere", 1.0),
    ],
)
def test_what_is_no_value(name: str, value: object) -> None:
    registry = make()
    before = registry.values()
    with pytest.raises(SegueError):
        registry.set(name, value)  # type: ignore[arg-type]
    assert registry.values() == before


def test_triggers_and_availability() -> None:
    registry = make()
    changes: list[Change] = []
    registry.subscribe(changes.append, "go")
    assert registry.set_unit("go", 0.7, "midi")
    assert not registry.set_unit("go", 0.0, "midi")
    assert changes == [Change("go", 0.7, "midi")]
    registry.set_available("tempo", False)
    assert not registry.set("tempo", 100.0) and not registry.set("tempo.auto", False)
    assert registry.get("tempo") is None
    registry.restore("tempo", 90.0, "load")
    assert registry.get("tempo") == 90.0
    with pytest.raises(SegueError):
        registry.trigger("mute")


def test_a_batch_tells_each_name_once() -> None:
    registry = make()
    changes: list[Change] = []
    unsubscribe = registry.subscribe(changes.append)
    with registry.batch():
        for value in (1.0, 2.0, 3.0):
            registry.set("time", value)
        assert not changes
    assert changes == [Change("time", 3.0, "window")]
    unsubscribe()
    registry.set("time", 4.0)
    assert len(changes) == 1


def test_a_broken_listener_does_not_stop_the_others() -> None:
    registry = make()
    changes: list[Change] = []
    errors: list[str] = []

    def broken(change: Change) -> None:
        raise RuntimeError("broken")

    registry.subscribe(broken)
    registry.subscribe(changes.append)
    with pytest.raises(RuntimeError):
        registry.set("mute", True)
    registry.error = lambda name, error: errors.append(f"{name}: {error}")
    registry.set("mute", False)
    assert errors == ["mute: broken"] and changes[-1].value is False


def test_the_instrument_has_the_names_that_maps_rely_on() -> None:
    registry = build_registry()
    for name in (
        "prompt.1.weight", "prompt.16.solo", "tempo", "tempo.auto", "tempo.tap", "key", "density",
        "brightness", "chaos", "guidance", "guidance_notes", "guidance_drums", "dream",
        "electronic", "percussive",
        "stem.drums", "stem.bass", "stem.other", "map.x", "map.y", "mixer.master",
        "scene.1.recall", "scene.16.save", "transport.play", "transport.clear",
        "transport.hold", "transport.panic", "record", "capture.save",
    ):  # fmt: skip
        assert name in registry
    for parameter in registry:
        assert parameter.help, f"{parameter.name} does not say what it does"


def test_an_engine_narrows_what_hands_reach_and_sessions_keep_the_rest() -> None:
    registry = build_registry()
    acting = frozenset({"guidance", "chaos"})
    registry.restore("guidance", 6.0, "load")
    set_engine_controls(registry, acting, {"guidance": (0.0, 3.0)}, {"chaos": 0.25})
    assert registry.get("guidance") == 6.0 and registry.get_unit("guidance") == 1.0
    registry.set_unit("guidance", 0.5)
    assert registry.get("guidance") == 1.5
    registry.set("guidance", 5.0)
    assert registry.get("guidance") == 3.0
    registry.restore("guidance", 5.0, "load")
    assert registry.get("guidance") == 5.0
    registry.nudge("chaos", 1)
    assert registry.get("chaos") == pytest.approx(0.30)  # from what auto was
    set_engine_controls(registry, acting)
    registry.set_unit("guidance", 0.0)
    assert registry.get("guidance") == -1.0


def test_only_what_the_engine_has_can_be_moved() -> None:
    registry = build_registry()
    set_engine_controls(registry, frozenset({"style", "bpm"}))
    assert registry.set("tempo", 120.0) and not registry.set("density", 0.5)
    assert not registry.set("stem.drums", False)
    set_prompt_count(registry, 3)
    assert registry.set("prompt.3.weight", 0.2) and not registry.set("prompt.4.weight", 0.2)
