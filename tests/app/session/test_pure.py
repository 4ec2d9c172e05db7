"""Pure parts of the session: mix, map, morph, tap tempo, undo, incidents."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.parameters.catalogue import build_registry, set_prompt_count
from app.session.document import Scene, SessionPrompt
from app.session.history import EditHistory, SideEdit
from app.session.incident_log import IncidentLog
from app.session.morph import between, plan_morph
from app.session.prompts import mix as mix
from app.session.prompts import plane as plane
from app.session.tap_tempo import TapTempo


@pytest.mark.parametrize(
    ("weights", "mutes", "solos", "expected"),
    [
        ([1, 2], [0, 0], [0, 0], [1, 2]),
        ([1, 2], [1, 0], [0, 0], [0, 2]),
        ([1, 2], [0, 0], [1, 0], [1, 0]),
        ([1, 2], [0, 0], [1, 1], [1, 2]),
        ([1, 2], [1, 0], [1, 0], [0, 2]),
        ([1, 2], [1, 1], [0, 0], [0, 0]),
        ([1, 0], [0, 0], [0, 1], [0, 0]),
    ],
)
def test_effective_weights(
    weights: list[float], mutes: list[bool], solos: list[bool], expected: list[float]
) -> None:
    assert mix.effective_weights(weights, mutes, solos) == expected


@given(st.lists(st.floats(0, 2), min_size=1, max_size=16))
def test_shares_sum_to_one_or_none(weights: list[float]) -> None:
    total = sum(mix.shares(weights))
    assert total == pytest.approx(1.0) if sum(weights) > 0 else total == 0.0


def test_the_nearest_point_has_weight_one_however_far() -> None:
    points = [(0.0, 0.0), (1.0, 0.0)]
    assert plane.map_weights((0.0, 0.0), points, 0.5) == pytest.approx([1.0, math.exp(-2)])
    assert plane.map_weights((0.5, 0.9), points, 0.5) == pytest.approx([1.0, 1.0])
    far = plane.map_weights((-50.0, 0.0), points, 0.2)
    assert far[0] == 1.0 and far[1] == pytest.approx(0.0)
    assert plane.map_weights((0.0, 0.0), [], 0.5) == []


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-8, 8), st.floats(-8, 8))
def test_a_thrown_cursor_stays_on_the_plane_and_comes_to_rest(
    x: float, y: float, vx: float, vy: float
) -> None:
    cursor = plane.MapCursor((x, y)).thrown((vx, vy))
    for _ in range(600):
        cursor = cursor.advanced(1 / 60, 0.25)
        assert all(-1.0 <= value <= 1.0 for value in cursor.position)
    assert not cursor.moving


def test_a_glide_does_not_depend_on_the_frame_rate() -> None:
    cursor = plane.MapCursor((-0.5, 0.0)).thrown((0.6, 0.1))
    once = cursor.advanced(0.5, 0.25)
    often = cursor
    for _ in range(50):
        often = often.advanced(0.01, 0.25)
    assert often.position == pytest.approx(once.position, abs=1e-6)


def test_an_orbit_comes_round_and_keeps_its_direction() -> None:
    cursor = plane.MapCursor((0.5, 0.0), (0.0, -1.0)).orbiting()
    assert cursor.direction == -1
    quarter = cursor.advanced(1.0, 0.25)
    assert quarter.position == pytest.approx((0.0, -0.5), abs=1e-9)
    assert cursor.advanced(4.0, 0.25).position == pytest.approx((0.5, 0.0), abs=1e-9)


@given(st.integers(1, 15))
def test_a_new_prompt_gets_a_place_of_its_own(count: int) -> None:
    points = plane.spread(count)
    assert min(math.dist(plane.free_point(points), point) for point in points) > 0.1


@pytest.mark.parametrize(
    ("taps", "tempo"),
    [
        ([0.0, 0.5], None),
        ([0.0, 0.5, 1.0], 120.0),
        ([0.0, 0.5, 1.0, 1.7, 2.2, 2.7], 120.0),  # one clumsy tap
        ([0.0, 0.5, 5.0, 5.4, 5.8], 150.0),  # a pause begins a new count
        ([0.0, 0.0, 0.5], None),  # a bounce is no beat
    ],
)
def test_tap_tempo(taps: list[float], tempo: float | None) -> None:
    counter = TapTempo()
    result = None
    for tap in taps:
        result = counter.tap(tap)
    assert result == (None if tempo is None else pytest.approx(tempo))


def test_history_joins_a_gesture_and_forgets_the_future() -> None:
    history: EditHistory[int] = EditHistory(limit=3)
    went: list[int] = []

    def undo(present: int) -> int | None:
        return went.pop() if history.undo(lambda: present, went.append) else None

    def redo(present: int) -> int | None:
        return went.pop() if history.redo(lambda: present, went.append) else None

    history.record("a", 0, 0.0)
    assert history.continues("a", 0.9) and history.continues("a", 1.8)
    assert not history.continues("a", 2.9) and not history.continues("b", 2.0)
    history.record("b", 1, 3.0)
    assert undo(2) == 1 and undo(1) == 0 and undo(0) is None
    assert redo(0) == 1 and history.redo_name == "b"
    history.record("c", 1, 4.0)
    assert redo(9) is None
    for value in range(10):
        history.record("d", value, 10.0 + value)
    assert [undo(0) for _ in range(4)] == [9, 8, 7, None]


def test_two_hands_at_once_are_one_step() -> None:
    history: EditHistory[int] = EditHistory()
    went: list[int] = []

    def edit(key: str, before: int, now: float) -> None:
        if not history.continues(key, now):
            history.record(key, before, now)

    def undo() -> int | None:
        return went.pop() if history.undo(lambda: 99, went.append) else None

    for n in range(40):  # four faders by turns, 10 ms from one to the next
        edit("abcd"[n % 4], n, n * 0.01)
    edit("e", 40, 5.0)  # after a rest
    edit("f", 41, 5.5)
    edit("e", 42, 6.0)  # one after the other, not at once: steps of their own
    assert [undo() for _ in range(5)] == [42, 41, 40, 0, None]


def test_a_step_beside_the_document_is_not_swallowed() -> None:
    history: EditHistory[int] = EditHistory()
    history.record("a", 0, 0.0)
    history.record("map", SideEdit("old", lambda state: "new"), 0.1)
    assert not history.continues("a", 0.2)
    history.record("a", 1, 0.2)
    assert [history.undo(lambda: 9, lambda _: None) for _ in range(4)] == ["a", "map", "a", ""]


def test_what_stands_beside_the_document_takes_its_turn() -> None:
    history: EditHistory[str] = EditHistory()
    document, shelf = ["one"], ["old"]

    def swap(state: str) -> str:
        before, shelf[0] = shelf[0], state
        return before

    def put(state: str) -> None:
        document[0] = state

    def undo() -> tuple[str, str, str]:
        return history.undo(lambda: document[0], put), document[0], shelf[0]

    def redo() -> tuple[str, str, str]:
        return history.redo(lambda: document[0], put), document[0], shelf[0]

    history.record("a", "one", 0.0)
    document[0] = "two"
    history.record("shelf", SideEdit("old", swap), 5.0)
    shelf[0] = "new"
    history.record("b", "two", 10.0)
    document[0] = "three"
    assert undo() == ("b", "two", "new")
    assert undo() == ("shelf", "two", "old")
    assert undo() == ("a", "one", "old")
    assert undo()[0] == ""
    assert redo() == ("a", "two", "old")
    assert redo() == ("shelf", "two", "new")
    assert redo() == ("b", "three", "new")
    assert redo()[0] == ""


def scene(prompts: list[str], **values: object) -> Scene:
    names = {key.replace("_", "."): value for key, value in values.items()}
    for n in range(1, len(prompts) + 1):
        names.setdefault(f"prompt.{n}.weight", 1.0)
    return Scene("s", tuple(SessionPrompt(text) for text in prompts), names)  # type: ignore[arg-type]


def test_between_values() -> None:
    registry = build_registry()
    assert between(registry, "tempo", 100.0, 140.0, 0.5) == pytest.approx(120.0)
    assert between(registry, "tempo", None, 140.0, 0.4) is None
    assert between(registry, "tempo", None, 140.0, 0.6) == 140.0
    assert between(registry, "key", "A minor", "C major", 0.4) == "A minor"
    assert between(registry, "stem.drums", True, False, 0.5) is False


def test_a_morph_keeps_common_prompts_and_fades_the_others() -> None:
    registry = build_registry()
    set_prompt_count(registry, 3)
    now = scene(["flute", "drone"], prompt_1_weight=1.0, prompt_2_weight=0.8, tempo=100.0)
    target = scene(["Drone", "piano"], prompt_1_weight=0.2, prompt_2_weight=1.6, tempo=120.0)
    way = plan_morph(now, target, 10.0)
    assert [p.text for p in way.prompts] == ["Drone", "piano", "flute"]
    start, half, end = (way.at(t, registry) for t in (0.0, 5.0, 10.0))
    weights = [[v[f"prompt.{n}.weight"] for n in (1, 2, 3)] for v in (start, half, end)]
    assert weights[0] == [0.8, 0.0, 1.0]
    assert weights[1] == pytest.approx([0.5, 0.8, 0.5])
    assert weights[2] == [0.2, 1.6, 0.0]
    assert half["tempo"] == pytest.approx(110.0)
    assert not way.done(9.9) and way.done(10.0)


def test_a_morph_between_full_sets_stays_within_the_strips() -> None:
    now = scene([f"a{n}" for n in range(16)])
    target = scene([f"b{n}" for n in range(14)])
    assert len(plan_morph(now, target, 1.0).prompts) == 16


def test_incidents_count_what_repeats() -> None:
    log = IncidentLog(limit=2)
    for sentence in ("one", "two", "two", "three"):
        log.add(0.0, "warning", sentence)
    assert [(e.sentence, e.count) for e in log.entries()] == [("two", 2), ("three", 1)]
    assert log.add(0.0, "strange", "four").level == "error"
    assert "(x2)" not in log.text() and "three" in log.text()
