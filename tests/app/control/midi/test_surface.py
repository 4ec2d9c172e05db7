"""One controller on the registry: feedback, motors, layers, many-to-many, gates, coalescing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.control.midi.feedback import MOTOR_SECONDS, TOUCH_SECONDS
from app.control.midi.mapping import SHIFT, ControllerElement, ControllerMap, Feedback, Mapping
from app.control.midi.message import Message
from app.control.midi.surface import MAX_PRESSES, Surface
from app.parameters.catalogue import build_registry, set_engine_controls, set_prompt_count
from app.parameters.registry import Change, Registry

FADER = ControllerElement("fader", "Fader", "knob", "cc", 1, 7, Feedback("cc", 1, 7, "value"))
MOTOR_FADER = ControllerElement(
    "motor", "Motor", "bend", "bend", 1, None, Feedback("bend", 1), motor=True
)
KNOB = ControllerElement("knob", "Knob", "knob", "cc", 1, 8, Feedback("cc", 1, 8, "value"))
ENCODER = ControllerElement("encoder", "Encoder", "relative-twos", "cc", 1, 9)
BUTTON = ControllerElement("button", "Button", "button", "note", 1, 30, Feedback("note", 1, 30))
PAD = ControllerElement("pad", "Pad", "pad", "note", 10, 36, Feedback("note", 10, 36, dim=5))
SHIFT_BUTTON = ControllerElement("shift", "Shift", "button", "note", 1, 31)
PROGRAM = ControllerElement("program", "Program", "program", "program")
CONTROLS = (FADER, MOTOR_FADER, KNOB, ENCODER, BUTTON, PAD, SHIFT_BUTTON, PROGRAM)


@pytest.fixture
def registry() -> Registry:
    return make_registry()


def make_registry() -> Registry:
    registry = build_registry()
    set_prompt_count(registry, 16)
    set_engine_controls(registry, frozenset({"bpm", "density", "brightness", "mute"}))
    return registry


def surface(registry: Registry, *mappings: Mapping) -> Surface:
    return Surface("port", ControllerMap("test", controls=CONTROLS, mappings=mappings), registry)


def cc(surface: Surface, number: int, *values: int, now: float = 100.0) -> None:
    for value in values:
        surface.receive(Message("cc", 1, number, value), now)
    surface.flush()


def note(surface: Surface, number: int, down: bool, channel: int = 1, velocity: int = 127) -> None:
    kind, value = ("note_on", velocity) if down else ("note_off", 0)
    surface.receive(Message(kind, channel, number, value), 100.0)  # type: ignore[arg-type]
    surface.flush()


# -- feedback ---------------------------------------------------------------------------------


def test_values_are_sent_on_change_and_on_request_but_never_twice(registry: Registry) -> None:
    one = surface(registry, Mapping("fader", "density"))
    registry.set("density", 0.5)
    assert one.feedback({"density"}, 1.0) == [Message("cc", 1, 7, 64)]
    assert one.feedback({"density"}, 2.0) == [] and one.feedback((), 3.0) == []
    registry.set("density", 1.0)
    assert one.feedback({"brightness"}, 4.0) == []
    assert one.feedback({"density"}, 5.0) == [Message("cc", 1, 7, 127)]
    one.resync()
    again = one.feedback((), 6.0)
    assert Message("cc", 1, 7, 127) in again
    # Request and reconnection show all there is: what is not mapped is dark.
    assert {(m.kind, m.number) for m in again} == {
        ("cc", 7), ("cc", 8), ("bend", 0), ("note_on", 30), ("note_on", 36)
    }  # fmt: skip


def test_a_hand_is_not_talked_back_to(registry: Registry) -> None:
    one = surface(registry, Mapping("fader", "density", takeover="jump"))
    cc(one, 7, 10, now=1.0)
    cc(one, 7, 90, now=1.1)
    assert one.feedback({"density"}, 1.15) == []
    assert one.feedback((), 1.1 + TOUCH_SECONDS - 0.01) == []
    assert one.feedback((), 1.1 + TOUCH_SECONDS + 0.01) == [Message("cc", 1, 7, 90)]


def test_lamps_of_scenes(registry: Registry) -> None:
    one = surface(registry, Mapping("pad", "scene.1.recall"))
    for led, velocity in ((0.0, 0), (0.5, 5), (1.0, 127)):
        one.led = lambda name, led=led: led  # type: ignore[misc]
        one.resync()
        assert Message("note_on", 10, 36, velocity) in one.feedback((), 1.0)


class Motor:
    """A motor fader: goes where it is told within `seconds` and reports every step of its way."""

    def __init__(self, surface: Surface, seconds: float) -> None:
        self.surface, self.seconds = surface, seconds
        self.position = self.goal = self.start = 0.0
        self.began = -1e9
        self.sent_count = self.reports = 0

    def run(self, now: float, changed: set[str]) -> None:
        """2 ms of its life."""
        for message in self.surface.feedback(changed, now):
            if message.kind == "bend":
                self.sent_count += 1
                self.goal, self.start, self.began = message.value / 16383, self.position, now
        share = min((now - self.began) / self.seconds, 1.0)
        position = self.start + (self.goal - self.start) * share
        if position != self.position:
            self.reports += 1
            self.position = position
            self.report(now)

    def report(self, now: float) -> None:
        self.surface.receive(Message("bend", 1, 0, round(self.position * 16383)), now)
        self.surface.flush()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.floats(0.01, MOTOR_SECONDS * 0.9),
    st.sampled_from(["jump", "pickup", "scale"]),
)
def test_a_motor_fader_that_reports_its_way_is_no_hand(
    goals: list[float], seconds: float, mode: str
) -> None:
    registry = make_registry()
    mapping = Mapping("motor", "density", takeover=mode)  # type: ignore[arg-type]
    motor = Motor(surface(registry, mapping), seconds)
    changes: list[Change] = []
    registry.subscribe(changes.append, "density")
    now = 10.0
    for goal in goals:
        registry.set("density", goal, "window")
        seen = len(changes)
        changed = {"density"}
        for _ in range(600):
            motor.run(now, changed)
            changed = {change.name for change in changes[seen:]}
            seen = len(changes)
            now += 0.002
        assert registry.get("density") == goal
        assert motor.position == pytest.approx(goal, abs=1e-4)
    assert all(change.source == "window" for change in changes)
    assert motor.sent_count <= len(goals)


def test_a_hand_that_pulls_a_motor_fader_away_wins(registry: Registry) -> None:
    one = surface(registry, Mapping("motor", "density", takeover="jump"))
    motor = Motor(one, 0.2)
    registry.set("density", 1.0)
    for n in range(20):
        motor.run(n * 0.002, {"density"})
    assert registry.get("density") == 1.0
    for n in range(10):  # the hand drags it down while the motor still pushes
        motor.position = max(motor.position - 0.05, 0.0)
        motor.report(0.05 + n * 0.002)
    assert registry.get("density") == pytest.approx(motor.position, abs=1e-3)


# -- many to many -----------------------------------------------------------------------------


def test_several_targets_on_one_control(registry: Registry) -> None:
    one = surface(
        registry,
        Mapping("fader", "density", takeover="jump"),
        Mapping("fader", "brightness", takeover="jump", invert=True, low=0.2, high=0.6),
    )
    cc(one, 7, 127)
    assert registry.get("density") == 1.0
    assert registry.get("brightness") == pytest.approx(0.2)
    cc(one, 7, 0)
    assert registry.get("density") == 0.0
    assert registry.get("brightness") == pytest.approx(0.6)


def test_several_controls_on_one_target(registry: Registry) -> None:
    one = surface(
        registry,
        Mapping("fader", "density", takeover="jump"),
        Mapping("knob", "density"),
        Mapping("encoder", "density", step=0.1),
    )
    cc(one, 7, 0, 127)
    assert {m.number for m in one.feedback({"density"}, 101.0)} >= {7, 8}
    cc(one, 8, 10)
    assert registry.get("density") == 1.0  # the knob stands elsewhere
    cc(one, 9, 127, 126)
    assert registry.get("density") == pytest.approx(0.7)
    cc(one, 8, 100)
    assert registry.get("density") == pytest.approx(100 / 127)  # it has passed 0.7
    cc(one, 7, 20)
    assert registry.get("density") == pytest.approx(20 / 127)


def test_layers_with_a_shift_button(registry: Registry) -> None:
    one = surface(
        registry,
        Mapping("shift", SHIFT, "any"),
        Mapping("fader", "density"),
        Mapping("fader", "brightness", "shift"),
        Mapping("knob", "tempo", "any", takeover="jump"),
        Mapping("button", "prompt.1.mute"),
        Mapping("button", "prompt.2.mute", "shift"),
    )
    registry.set("density", 0.0)
    registry.set("brightness", 0.0)
    cc(one, 7, 0, 127)
    assert (registry.get("density"), registry.get("brightness")) == (1.0, 0.0)
    note(one, 31, True)
    cc(one, 7, 126, 120)
    # It stands where the other layer left it: the value is not torn from 0 to there.
    assert (registry.get("density"), registry.get("brightness")) == (1.0, 0.0)
    cc(one, 7, 0, 64)
    assert registry.get("brightness") == pytest.approx(64 / 127)
    cc(one, 8, 127)
    note(one, 30, True)
    note(one, 31, False)
    note(one, 30, False)
    assert registry.get("tempo") == 190.0
    assert (registry.get("prompt.1.mute"), registry.get("prompt.2.mute")) == (False, True)
    cc(one, 7, 60, 50)
    assert registry.get("density") == 1.0
    cc(one, 7, 127, 126)
    assert registry.get("density") == pytest.approx(126 / 127)


@pytest.mark.parametrize("mode", ["pickup", "scale"])
def test_a_recalled_scene_is_not_torn_away(registry: Registry, mode: str) -> None:
    one = surface(registry, Mapping("fader", "density", takeover=mode))  # type: ignore[arg-type]
    registry.set("density", 0.0)
    cc(one, 7, 0, 30, 60, 100)
    before = registry.get("density")
    assert isinstance(before, float) and before > 0.5
    registry.restore("density", 0.1, "scene")
    cc(one, 7, 101)
    now = registry.get("density")
    assert isinstance(now, float) and abs(now - 0.1) < 0.05


# -- presses ----------------------------------------------------------------------------------


def test_program_changes_and_pads_recall_scenes(registry: Registry) -> None:
    one = surface(registry, Mapping("program", "scene.*.recall"), Mapping("pad", "scene.3.recall"))
    fired: list[tuple[str, object]] = []
    registry.subscribe(lambda change: fired.append((change.name, change.value)))
    for channel, number in ((1, 0), (9, 15), (1, 16), (1, 127)):
        one.receive(Message("program", channel, 0, number), 1.0)
    note(one, 36, True, 10, 64)
    note(one, 36, False, 10)
    note(one, 36, True, 1)  # the same key on another channel is no pad
    assert fired == [
        ("scene.1.recall", 1.0),
        ("scene.16.recall", 1.0),
        ("scene.3.recall", pytest.approx(64 / 127)),
    ]


def test_unplugging_and_panic_let_go_of_everything(registry: Registry) -> None:
    one = surface(
        registry,
        Mapping("pad", "density", action="gate"),
        Mapping("shift", SHIFT, "any"),
        Mapping("button", "transport.hold", action="gate"),
    )
    registry.set("density", 0.0)
    note(one, 31, True)
    note(one, 31, False)
    note(one, 36, True, 10, 100)
    note(one, 30, True)
    note(one, 31, True)
    assert registry.get("density") == pytest.approx(100 / 127)
    assert registry.get("transport.hold") is True and one.shifted
    one.release()
    assert registry.get("density") == 0.0
    assert registry.get("transport.hold") is False and not one.shifted


def test_a_gate_of_a_layer_that_was_left_is_let_go(registry: Registry) -> None:
    one = surface(
        registry, Mapping("shift", SHIFT, "any"), Mapping("pad", "density", "shift", action="gate")
    )
    registry.set("density", 0.0)
    note(one, 31, True)
    note(one, 36, True, 10)
    note(one, 31, False)
    assert registry.get("density") == 1.0
    note(one, 36, False, 10)
    assert registry.get("density") == 0.0


# -- floods -----------------------------------------------------------------------------------


def test_of_a_flood_the_latest_value_counts_once(registry: Registry) -> None:
    one = surface(registry, Mapping("fader", "density", takeover="jump"))
    received: list[Change] = []
    registry.subscribe(received.append, "density")
    for n in range(3000):
        one.receive(Message("cc", 1, 7, n % 128), 1.0)
    one.flush()
    assert [change.value for change in received] == [pytest.approx((2999 % 128) / 127)]


def test_a_press_is_not_drowned_and_a_flood_of_presses_is_noise(registry: Registry) -> None:
    one = surface(registry, Mapping("button", "prompt.1.mute"), Mapping("pad", "tempo.tap"))
    taps: list[Change] = []
    registry.subscribe(taps.append, "tempo.tap")
    for n in range(1000):
        one.receive(Message("cc", 1, 7, n % 128), 1.0)
    one.receive(Message("note_on", 1, 30, 127), 1.0)
    for _ in range(500):
        one.receive(Message("note_on", 10, 36, 127), 1.0)
    one.flush()
    assert registry.get("prompt.1.mute") is True
    assert len(taps) == MAX_PRESSES and one.dropped_presses == 500 - MAX_PRESSES
