"""Words and edits of maps, the drawing's places, the monitor's log, OSC listings: no window."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import pytest

from app.control.hub import MidiLogEntry
from app.control.midi.detection import DetectedControl
from app.control.midi.library import READY_MADE, default_map
from app.control.midi.map_file import load, read, write
from app.control.midi.mapping import SHIFT, ControllerElement, Mapping, control_from_detection
from app.control.midi.message import Message
from app.control.osc.inbox import Packet
from app.control.osc.messages import build
from app.parameters.catalogue import build_registry, set_engine_controls, set_prompt_count
from app.parameters.registry import Registry
from app.window.controllers import controller_layout as plan
from app.window.controllers import map_edits as edits
from app.window.controllers.mapping_form import read_value
from app.window.controllers.pages import osc_page
from app.window.controllers.pages.monitor_log import MAX_ENTRIES, MAX_PER_POLL, MonitorLog, line_of
from app.window.dialogs.keyboard_sheet import COLUMNS, GROUPS, sheet_rows
from models.errors import SegueError

MAPS = sorted(READY_MADE.glob("*.json"))


@pytest.fixture
def registry() -> Registry:
    registry = build_registry()
    set_prompt_count(registry, 4)
    set_engine_controls(registry, frozenset({"bpm", "density", "key"}))
    return registry


@pytest.mark.parametrize(
    ("target", "words", "short"),
    [
        ("prompt.3.weight", "Prompt 3 weight", "P3"),
        ("prompt.12.mute", "Prompt 12 mute", "M12"),
        ("scene.5.recall", "Recall scene 5", "Sc 5"),
        ("scene.*.recall", "Scene by program number", "Scenes"),
        ("density", "Density", "Density"),
        (SHIFT, "Second layer while held", "Shift"),
        ("not.there", "not.there", "not.there"),
    ],
)
def test_words_of_targets(target: str, words: str, short: str, registry: Registry) -> None:
    assert edits.target_label(target, registry) == words
    assert edits.short_label(target, registry) == short


@pytest.mark.parametrize(
    ("target", "mapped", "following"),
    [
        ("prompt.1.weight", set(), "prompt.2.weight"),
        ("prompt.1.weight", {"prompt.2.weight"}, None),
        ("prompt.4.weight", set(), None),  # there are four strips
        ("scene.15.recall", set(), "scene.16.recall"),
        ("scene.16.recall", set(), None),
        ("density", set(), None),
    ],
)
def test_the_next_in_the_row(
    target: str, mapped: set[str], following: str | None, registry: Registry
) -> None:
    assert edits.next_in_row(target, registry, mapped) == following


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ("prompt.1.mute", "prompt.7.mute", True),
        ("prompt.1.mute", "prompt.1.solo", False),
        ("prompt.1.mute", "scene.1.recall", False),
        ("density", "brightness", True),
        ("density", "prompt.1.mute", False),
    ],
)
def test_a_sweep_keeps_to_its_row(first: str, other: str, same: bool) -> None:
    assert edits.same_row(first, other) is same


def test_a_kind_is_corrected_only_to_what_sends_such_messages() -> None:
    knob = control_from_detection(DetectedControl("knob", "cc", 3, 40), 1)
    assert set(edits.kinds_for(knob)) == {
        "knob", "relative-twos", "relative-offset", "relative-sign", "button", "toggle",
    }  # fmt: skip
    assert "knob14" in edits.kinds_for(replace(knob, number=31))
    button = edits.with_kind(knob, "button")
    assert (button.shape, button.feedback.style) == ("button", "state")
    assert edits.with_kind(button, "knob") == knob
    assert edits.control_description(replace(knob, channel=None)) == "CC 40, any channel"


def test_edits_keep_everything_else_in_its_order(registry: Registry) -> None:
    whole = load(READY_MADE / "akai-midimix.json", registry)
    old = whole.mappings[5]
    new = replace(old, low=0.2, high=0.6, invert=True, layer="shift")
    changed = edits.replace_mapping(whole, old, new)
    assert [m for m in changed.mappings if m != new] == [m for m in whole.mappings if m != old]
    assert changed.mappings.index(new) == 5 or new in whole.mappings
    assert edits.replace_mapping(changed, new, old).mappings == whole.mappings
    assert old not in edits.remove_mapping(whole, old).mappings
    control = replace(whole.controls[3], channel=7)
    moved = edits.replace_control(whole, control)
    assert moved.control(control.id).channel == 7
    assert [c.id for c in moved.controls] == [c.id for c in whole.controls]
    gone = edits.remove_control(whole, control.id)
    assert all(m.control != control.id for m in gone.mappings)
    for each in (changed, moved, gone):
        assert read(write(each), registry) == each, "what was edited can be shared"


def test_a_mapping_that_comes_to_equal_another_takes_its_place() -> None:
    controller = default_map("x").with_control(
        control_from_detection(DetectedControl("knob", "cc", 1, 1), 1)
    )
    a, b = (Mapping("cc.1.ch1", "density", layer=layer) for layer in ("base", "shift"))
    controller = controller.with_mapping(a).with_mapping(b)
    changed = edits.replace_mapping(controller, b, replace(b, layer="base", invert=True))
    assert [m for m in changed.mappings if m.target == "density"] == [
        replace(b, layer="base", invert=True)
    ]


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_a_ready_made_map_is_drawn_as_its_maker_built_it(path: object, registry: Registry) -> None:
    controller = load(path, registry)  # type: ignore[arg-type]
    placed = plan.boxes(controller.controls)
    for control in controller.controls:
        assert placed[control.id] == (control.x, control.y, control.width, control.height), (
            f"{control.id} lies on another control"
        )
    wide, high = plan.extent(placed)
    assert 4 <= wide <= 20 and 1.5 <= high <= 20


def test_what_was_learned_since_is_drawn_below(registry: Registry) -> None:
    controller = load(READY_MADE / "akai-midimix.json", registry)
    before = plan.extent(plan.boxes(controller.controls))[1]
    for number in range(20):
        learned = DetectedControl("knob", "cc", 5, number)
        controller = controller.with_control(
            control_from_detection(learned, len(controller.controls))
        )
    placed = plan.boxes(controller.controls)
    boxes = list(placed.values())
    assert len(boxes) == len(controller.controls)
    assert not any(plan._overlap(a, b) for n, a in enumerate(boxes) for b in boxes[:n])
    assert plan.extent(placed)[1] > before


@pytest.mark.parametrize(
    ("text", "target", "value"),
    [
        ("124", "tempo", 124.0),
        ("999", "tempo", 190.0),
        ("on", "prompt.1.mute", True),
        ("A minor", "key", "A minor"),
        ("morph", "scene.mode", "morph"),
    ],
)
def test_a_written_value(text: str, target: str, value: object, registry: Registry) -> None:
    assert read_value(text, target, registry) == value


@pytest.mark.parametrize(("text", "target"), [("fast", "tempo"), ("H minor", "key"), ("", "tempo")])
def test_a_written_value_that_is_none(text: str, target: str, registry: Registry) -> None:
    with pytest.raises(SegueError):
        read_value(text, target, registry)


def heard(number: int, kind: str = "cc", port: str = "a") -> MidiLogEntry:
    return MidiLogEntry(float(number), port, False, Message(kind, 1, 7, number % 128))  # type: ignore[arg-type]


def test_the_log_copies_only_what_is_new() -> None:
    log, monitor = MonitorLog(), deque([heard(n) for n in range(10)], maxlen=1000)
    assert log.take(monitor) == 10
    assert log.take(monitor) == 0
    monitor.extend([heard(10), heard(11, "note_on", "b")])
    assert log.take(monitor) == 2
    assert [line.when for line in log.lines] == [float(n) for n in range(12)]
    log.set_filter("b", "")
    assert [line_of(each).type for each in log.visible_entries()] == ["notes"]
    log.set_filter("", "controllers")
    assert len(log.visible_entries()) == 11
    log.set_filter("b", "controllers")
    assert not log.visible_entries()
    assert log.ports() == ["a", "b"]


def test_the_log_is_bounded_pauses_and_says_what_it_missed() -> None:
    log, monitor = MonitorLog(), deque([heard(0)], maxlen=100)
    log.take(monitor)
    for round_ in range(60):
        monitor.extend(heard(n) for n in range(round_ * 150, round_ * 150 + 150))
        log.take(monitor)
    assert len(log.lines) == MAX_ENTRIES and log.missed == 60
    log.clear()
    log.paused = True
    monitor.append(heard(1))
    assert log.take(monitor) == 0 and not log.visible_entries()
    log.paused = False
    assert log.take(monitor) == 0, "what came in the pause is not shown afterwards"
    monitor.append(heard(2))
    assert log.take(monitor) == 1


def test_the_log_tells_bytes_and_what_became_of_packets() -> None:
    peer = ("127.0.0.1", 5000)
    good = Packet(3.0, peer, build("/segue/key", ["A minor"]), "applied")
    stale = Packet(1.0, peer, build("/segue/tempo", [124.0]), "applied")
    stale.superseded = 6
    wrong = Packet(2.0, peer, build("/segue/tempi", [1, True, "x"]), "unknown")
    wrong.reason = "There is nothing at '/segue/tempi'."
    rubbish = Packet(5.0, peer, b"hello\0\x01", "malformed")
    broken = MidiLogEntry(4.0, "a", False, None, b"\x01\x02")
    log = MonitorLog()
    assert log.take([heard(0), broken], [stale, wrong, good, rubbish]) == 6
    lines = [line_of(each) for each in log.visible_entries()]
    assert [line.text for line in lines] == [
        "ch 1 cc 7 = 0",
        "/segue/tempo 124",
        '/segue/tempi 1 1 "x"',
        '/segue/key "A minor"',
        "no MIDI",
        "hello··  (68 65 6c 6c 6f 00 01)",
    ]
    assert [line.detail for line in lines] == [
        "B0 07 00",
        "the latest of 7",
        wrong.reason,
        "",
        "01 02",
        "dropped: no OSC that Segue reads",
    ]
    assert [line.dropped for line in lines] == [False, False, True, False, True, True]
    assert log.ports() == ["127.0.0.1:5000", "a"]
    log.set_filter("127.0.0.1:5000", "OSC")
    assert len(log.visible_entries()) == 4


def test_a_look_at_a_flood_copies_the_newest() -> None:
    log, monitor = MonitorLog(), deque((heard(n) for n in range(1000)), maxlen=1000)
    assert log.take(monitor) == MAX_PER_POLL and log.missed == 1
    assert log.visible_entries()[-1].when == 999.0
    assert log.take(monitor) == 0


def test_the_listing_of_addresses_is_whole(registry: Registry) -> None:
    lines = osc_page.listing(registry).splitlines()
    assert len(lines) == len(registry) + 1
    assert "/segue/tempo\t/segue/unit/tempo\t60 to 190 bpm, or auto\tTempo" in lines
    assert "/segue/scene/3/recall\t\tnothing, or 0 to 1\tRecall scene 3" in lines
    assert osc_page.accepted_values(registry["scene.mode"]) == "now, bar, morph, or 0 to 2"


def test_a_program_change_has_words(registry: Registry) -> None:
    control: ControllerElement = default_map("x").controls[0]
    assert edits.control_description(control) == "Program change, any channel"
    assert edits.range_text(Mapping("program", "scene.*.recall"), registry) == ""
    words = edits.range_text(Mapping("k", "tempo", low=0.0, high=0.5, invert=True), registry)
    assert words == "125.0 bpm … 60.0 bpm"


def test_the_keyboard_sheet_holds_its_rows() -> None:
    rows = sheet_rows()
    for groups in COLUMNS:
        height = sum(28 + 30 * len(rows[group]) + 14 for group in groups)
        assert height <= 620 - 74, f"{groups} are {height} pixels high"
    assert sorted(group for groups in COLUMNS for group in groups) == sorted(GROUPS)
