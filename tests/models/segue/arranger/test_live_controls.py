"""What stays, what follows, what arrives when; energy, fills and sections as triggers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.errors import SegueError
from models.music.score import PARTS
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.arrival import arrived_controls, base_of
from models.segue.arranger.state import State
from models.segue.arranger.steps import ACTION, DRUM_COLUMNS, STRIKE, TOKEN
from models.segue.style import StyleModel
from tests.support.arrangers import OTHER, STYLE, play, untrained

PROMPTS = ("Techno", "Piano Ballad", "Drum & Bass", "Jamaican Dub", "Irish Folk", "Latin Jazz")


@pytest.fixture(scope="module")
def trained() -> Arranger:
    return Arranger.load()


@pytest.fixture(scope="module")
def styles() -> dict[str, NDArray[np.float32]]:
    model = StyleModel.load()
    return {prompt: model.embed_text(prompt) for prompt in PROMPTS}


def started(controls: Controls, blocks: int = 40, seed: int = 5) -> State:
    state, _ = play(untrained(), untrained().start(seed), controls, blocks)
    return state


def told(state: State) -> tuple[float, tuple[int, str], int]:
    """Tempo, key and metre."""
    assert state.setting is not None
    return round(state.tempo, 6), state.key, state.setting.metre


def tour(
    arranger: Arranger, styles: dict[str, NDArray[np.float32]], follow: bool, seed: int
) -> list[tuple[float, tuple[int, str], int]]:
    """Tempo, key and metre after ten seconds of each prompt."""
    state, found = arranger.start(seed), []
    for style in styles.values():
        state, _ = play(arranger, state, Controls(style=style, follow_prompts=follow), 25, 10)
        found.append(told(state))
    return found


def test_tempo_and_key_stay_when_the_prompts_change(
    trained: Arranger, styles: dict[str, NDArray[np.float32]]
) -> None:
    for seed in (5, 6):
        assert len(set(tour(trained, styles, follow=False, seed=seed))) == 1


def test_they_follow_the_prompts_where_asked(
    trained: Arranger, styles: dict[str, NDArray[np.float32]]
) -> None:
    found = tour(trained, styles, follow=True, seed=5) + tour(trained, styles, follow=True, seed=6)
    assert len({tempo for tempo, _, _ in found}) >= 10
    assert len({mode for _, (_, mode), _ in found}) > 1


def test_a_tempo_that_follows_glides_over_a_bar(
    trained: Arranger, styles: dict[str, NDArray[np.float32]]
) -> None:
    slow = Controls(style=styles["Jamaican Dub"], follow_prompts=True)
    fast = Controls(style=styles["Drum & Bass"], follow_prompts=True)
    state, _ = play(trained, trained.start(5), slow, 60)
    after, _ = play(trained, state, fast, 200)
    begin, goal, tempi = state.tempo, after.tempo, [state.tempo]
    assert goal > 1.3 * begin
    while tempi[-1] != goal:
        state, _ = play(trained, state, fast, 1, 1)
        tempi += [state.tempo] if state.tempo != tempi[-1] else []
    assert after.setting is not None
    assert after.setting.steps_per_bar / 2 < len(tempi) < 1.5 * after.setting.steps_per_bar
    assert tempi == sorted(tempi)


def test_clear_chooses_again(trained: Arranger, styles: dict[str, NDArray[np.float32]]) -> None:
    controls = Controls(style=styles["Techno"])
    state, _ = play(trained, trained.start(1), controls, 40)
    found = set()
    for seed in range(6):
        fresh, _ = play(trained, trained.start(seed, state), controls, 10)
        found.add(told(fresh))
    assert len({tempo for tempo, _, _ in found}) > 3
    assert len({tonic for _, (tonic, _), _ in found}) > 2


def test_the_first_style_decides_where_there_was_none() -> None:
    state = started(Controls())
    assert base_of(state) is None
    state, _ = play(untrained(), state, Controls(style=STYLE), 60)
    before = told(state)
    state, _ = play(untrained(), state, Controls(style=OTHER), 60)
    assert base_of(state) is not None and told(state) == before


@pytest.mark.parametrize("asked", [{"bpm": 180.0}, {"key": "F# minor"}])
def test_a_change_arrives_now_or_with_the_bar(asked: dict[str, object]) -> None:
    arranger = untrained()
    state = started(Controls(style=STYLE, bpm=120.0, key="C major"))
    while state.clock.step_in_bar != 3:
        state, _ = play(arranger, state, Controls(style=STYLE, bpm=120.0, key="C major"), 1, 1)
    changed = Controls(style=STYLE, bpm=120.0, key="C major").with_(**asked)

    def place_of_change(controls: Controls) -> int:
        line = state
        for _ in range(200):
            before = line.clock.step_in_bar
            line, _ = play(arranger, line, controls, 1, 1)
            if line.clock.step_in_bar == before:
                continue
            if line.key != state.key or abs(line.ticks[-1].bpm / state.ticks[-1].bpm - 1) > 0.01:
                return line.ticks[-1].step_in_bar
        raise AssertionError("it never came")

    assert place_of_change(changed) == 3
    assert place_of_change(changed.with_(change_at="bar")) == 0


def test_what_waits_is_what_acted_before() -> None:
    state = started(Controls(style=STYLE, bpm=120.0))
    while state.clock.on_bar:
        state, _ = play(untrained(), state, Controls(style=STYLE, bpm=120.0), 1, 1)
    waiting = Controls(style=STYLE, bpm=90.0, key="D minor", change_at="bar")
    assert (arrived_controls(state, waiting).bpm, arrived_controls(state, waiting).key) == (
        120.0,
        None,
    )
    assert arrived_controls(state, waiting.with_(change_at="now")).bpm == 90.0


def test_another_style_has_a_form_of_its_own_and_themes_of_its_own(
    trained: Arranger, styles: dict[str, NDArray[np.float32]]
) -> None:
    club, jam = Controls(style=styles["Techno"]), Controls(style=styles["Latin Jazz"])
    state, _ = play(trained, trained.start(5), club, 150, 10)
    assert state.plan.form == "club" and state.themes
    _, told_of = play(trained, state, club, 1)
    assert told_of[-1].section_name == state.plan.name
    near = Controls(style=0.9 * styles["Techno"] + 0.1 * styles["Latin Jazz"])
    stays, _ = play(trained, state, near, 1, 60)
    assert stays.plan.form == "club" and stays.themes
    after, _ = play(trained, state, jam, 1, 60)
    assert after.plan.form != "club" and not after.themes and after.plan.name != "intro"


def parts_and_onsets(energy: float | None, seed: int) -> tuple[float, float]:
    """Parts at once, and onsets per step, of forty seconds."""
    controls = Controls(style=STYLE, bpm=120.0, energy=energy)
    state = started(controls, blocks=500, seed=seed)
    rows = np.stack([row for i in range(64, 300) if (row := state.history.get(i)) is not None])
    parts = ((rows[:, -1:] >> np.arange(len(PARTS))) & 1).sum(axis=1)
    onsets = (rows[:, DRUM_COLUMNS] > 0).sum(axis=1) + (rows[:, ACTION] == STRIKE)
    onsets = onsets + sum(rows[:, column] >= STRIKE for column in TOKEN.values())
    return float(parts.mean()), float(onsets.mean())


def test_energy_is_how_many_play_and_how_busily() -> None:
    parts, onsets = np.array([parts_and_onsets(e, seed=4) for e in (0.0, 0.35, 0.7, 1.0)]).T
    assert (np.diff(parts) >= 0).all() and parts[0] == 1 and parts[-1] > parts[0] + 2
    assert (np.diff(onsets) > 0).all()


def in_a_theme(controls: Controls) -> State:
    """A state in the middle of a bar, bars before its section ends."""
    state = started(controls)
    while state.plan.bars < 8 or state.form.bar > 2 or state.clock.step_in_bar != 3:
        state, _ = play(untrained(), state, controls, 1, 1)
    return state


def test_a_leap_of_energy_moves_the_form_with_the_next_bar() -> None:
    arranger = untrained()
    state = in_a_theme(Controls(style=STYLE, bpm=120.0, energy=0.4))
    place = state.plan.place
    up, _ = play(arranger, state, Controls(style=STYLE, bpm=120.0, energy=0.9), 40)
    steady, _ = play(arranger, state, Controls(style=STYLE, bpm=120.0, energy=0.45), 40)
    assert up.plan.place > place and up.plan.name in ("drop", "b", "solo", "a")
    assert steady.plan.place == place


def test_next_section_comes_with_the_bar_and_once() -> None:
    arranger = untrained()
    controls = Controls(style=STYLE, bpm=120.0)
    state = in_a_theme(controls)
    place = state.plan.place
    held = controls.with_(next_section=True)
    line, _ = play(arranger, state, held, 1)
    assert line.plan.place == place and line.due
    while not line.clock.on_bar:
        line, _ = play(arranger, line, held, 1, 1)
    line, _ = play(arranger, line, held, 8, 1)
    assert line.plan.place == place + 1 and not line.due and line.form.bar == 0
    line, _ = play(arranger, line, held, 30)  # held down, it acts no more
    assert line.plan.place == place + 1


def test_a_fill_takes_the_rest_of_the_bar_and_no_more() -> None:
    arranger = untrained()
    controls = Controls(style=STYLE, bpm=120.0, energy=1.0)
    states = (started(controls, 60, seed) for seed in range(20))
    state = next(state for state in states if state.setting and state.setting.kit)
    assert state.setting is not None
    bar = state.setting.steps_per_bar
    while state.clock.step_in_bar != bar // 2:
        state, _ = play(arranger, state, controls, 1, 1)
    first = state.history.length
    plain, _ = play(arranger, state, controls, 60)
    filled, _ = play(arranger, state, controls.with_(fill=True), 60)
    assert filled.fill == (first, first + bar - bar // 2)

    def drums(line: State, begin: int, end: int) -> bytes:
        return np.stack([line.history.get(i)[DRUM_COLUMNS] for i in range(begin, end)]).tobytes()  # type: ignore[index]

    assert drums(filled, first, filled.fill[1]) != drums(plain, first, filled.fill[1])
    again, _ = play(arranger, filled, controls.with_(fill=True), 5)
    assert again.fill == filled.fill  # held down, it acts no more


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"energy": 1.5}, "energy is 1.5: give a number from 0 to 1"),
        ({"energy": True}, "energy is True"),
        ({"fill": 1}, "fill is 1: write true or false"),
        ({"follow_prompts": "yes"}, "follow_prompts is 'yes'"),
        ({"change_at": "soon"}, "change_at is 'soon': write now or bar"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(SegueError, match=words):
        Controls(**values)  # type: ignore[arg-type]


def test_none_puts_them_back() -> None:
    controls = Controls(follow_prompts=None, change_at=None, fill=None)  # type: ignore[arg-type]
    assert controls == Controls()
    for name, value in {"fill": True, "change_at": "bar", "energy": 0.0}.items():
        assert Controls(**{name: value}).strength_of(name) == 1.0  # type: ignore[arg-type]
        assert Controls().strength_of(name) == 0.0
