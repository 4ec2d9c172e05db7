"""Pieces of a learned sound: their turns, their files, and how they glide in a stream."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.engine.controls import Controls
from models.errors import SegueError
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.state import State
from models.segue.learned_pieces import GLIDE_BEATS, SECTIONS, LearnedPieces, turn_of
from models.segue.style import anchors
from models.sounds.description import describe
from models.sounds.file import LearnedSound, SoundPiece, read_sound, write_sound
from models.sounds.library import SoundLibrary, base_checksum
from models.sounds.pieces import Turn, alone, style_at, weights_of

STYLES = np.eye(3, 128, dtype=np.float32)
PIECES = tuple(
    SoundPiece((f"{name}.wav",), seconds, style, {"idiom.minor": np.ones(1, np.float16)})
    for name, seconds, style in zip("abc", (60.0, 120.0, 20.0), STYLES, strict=True)
)
SOUND = LearnedSound(
    "mine", "base", STYLES.mean(0), files=("a.wav", "b.wav", "c.wav"), pieces=PIECES
)


def test_each_piece_comes_as_often_as_its_share() -> None:
    for start in (0, 700, 2**32 - 60):
        turns = [weights_of(PIECES, Turn(start + number))[0][0] for number in range(100)]
        counts = Counter(piece.files[0] for piece in turns)
        found = [counts[f"{name}.wav"] for name in "abc"]
        assert np.allclose(found, (30, 60, 10), atol=2)


def test_one_piece_gives_way_to_the_next() -> None:
    number = next(
        n for n in range(9) if weights_of(PIECES, Turn(n)) != weights_of(PIECES, Turn(n - 1))
    )
    ends = [style_at(SOUND, Turn(n)) for n in (number - 1, number)]
    for share in (0.25, 0.5, 1.0):
        middle = (1 - share) * ends[0] + share * ends[1]
        assert np.allclose(style_at(SOUND, Turn(number, share)), middle)
    assert weights_of((), Turn(3)) == ()
    assert np.array_equal(style_at(replace(SOUND, pieces=()), Turn(3)), SOUND.style)


def test_files_with_pieces_and_files_of_before(tmp_path: Path) -> None:
    path, old = tmp_path / "a.sound.safetensors", tmp_path / "old.sound.safetensors"
    write_sound(replace(SOUND, changes={"out.change": np.ones(2, np.float16)}), path)
    again = read_sound(path)
    assert list(again.changes) == ["out.change"]
    for one, other in zip(again.pieces, PIECES, strict=True):
        assert (one.files, one.seconds, list(one.changes)) == (
            other.files, other.seconds, ["idiom.minor"],
        )  # fmt: skip
        assert np.array_equal(one.style, other.style)
    assert "played as 3 pieces (a; b; c)" in describe(again)
    assert alone(again, again.pieces[1]).style[1] == 1.0

    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        header, tensors = file.metadata(), load_file(path)
    before = {name: each for name, each in tensors.items() if not name.startswith("piece.")}
    save_file(before, old, {k: v for k, v in header.items() if k != "pieces"})
    assert read_sound(old).pieces == ()
    assert "pieces" not in describe(read_sound(old))
    for wrong in ('[[["a"], 60.0]]', '[[["a"], -1.0]]', '"a"', "[1]"):
        save_file(before, old, {**header, "pieces": wrong})
        with pytest.raises(SegueError, match="damaged"):
            read_sound(old)
    save_file({**tensors, "piece.1.style": STYLES[0] * np.nan}, old, header)
    with pytest.raises(SegueError, match="not finite"):
        read_sound(old)


@pytest.fixture
def library(tmp_path: Path) -> SoundLibrary:
    library = SoundLibrary(tmp_path)
    sound = replace(SOUND, base=base_checksum())
    library.add(sound)
    library.add(replace(sound, name="old", pieces=()))
    return library


def state_of(arranger: Arranger, seed: int, sections: int, beats: int = 0) -> State:
    """A state some sections and beats into a stream."""
    state = arranger.start(seed)
    state, _ = arranger.write(state, None, Controls(bpm=120.0), 2)
    assert state.setting is not None
    # What the first block played counts as no section here.
    counts = (sections, *(0 for _ in state.plan.counts[1:]))
    start = state.history.length - beats * state.setting.steps_per_beat
    return state.with_(
        plan=replace(state.plan, counts=counts), form=replace(state.form, start=start)
    )


@pytest.fixture(scope="module")
def arranger() -> Arranger:
    return Arranger.load()


@pytest.mark.parametrize(
    ("sections", "beats", "turn"),
    [
        (0, 0, Turn(5)),
        (1, 0, Turn(5)),
        (SECTIONS, 0, Turn(5)),
        (SECTIONS + 1, 0, Turn(6, 1 / GLIDE_BEATS)),
        (SECTIONS + 1, 1, Turn(6, 2 / GLIDE_BEATS)),
        (SECTIONS + 1, 9, Turn(6)),
        (SECTIONS + 2, 0, Turn(6)),
        (2 * SECTIONS + 1, 0, Turn(7, 1 / GLIDE_BEATS)),
    ],
)
def test_whose_turn_it_is(arranger: Arranger, sections: int, beats: int, turn: Turn) -> None:
    assert turn_of(state_of(arranger, 5, sections, beats)) == turn
    assert turn_of(arranger.start(9)) == Turn(9)


def test_the_style_of_a_block(library: SoundLibrary, arranger: Arranger) -> None:
    pieces, state = LearnedPieces(library), arranger.start(4)
    now = style_at(SOUND, Turn(4))
    controls = Controls(style=SOUND.style, sounds={"mine": 1.0})
    style = pieces.style(controls, state)
    assert style is not None and np.allclose(style, now, atol=1e-6)
    assert pieces.style(controls, state) is style  # so that the style counts as the same
    flute = anchors.load()[3]
    mixed = (0.5 * SOUND.style + 0.5 * flute).astype(np.float32)
    half = pieces.style(Controls(style=mixed, sounds={"mine": 0.5}), state)
    assert half is not None and np.allclose(half, 0.5 * now + 0.5 * flute, atol=1e-6)
    most = pieces.style(controls.with_(sounds={"mine": 1.5}), state)
    assert most is not None and np.allclose(most, now, atol=1e-6)
    for plain in (controls.with_(sounds={}), controls.with_(sounds={"old": 1.0}), Controls()):
        assert pieces.style(plain, state) is plain.style
        assert pieces.with_style(plain, state) is plain
    assert pieces.with_style(controls, state).style is not controls.style


def test_the_form_goes_on_where_a_piece_gives_way(tmp_path: Path, arranger: Arranger) -> None:
    library, table = SoundLibrary(tmp_path), anchors.load()
    chosen = [table[0], table[len(table) // 2]]
    assert np.linalg.norm(chosen[0] - chosen[1]) > 0.7  # another music, were it a prompt
    pieces = tuple(SoundPiece((f"{n}.wav",), 60.0, each) for n, each in enumerate(chosen))
    style = np.asarray(np.mean(chosen, axis=0), np.float32)
    library.add(LearnedSound("mine", base_checksum(), style, pieces=pieces))
    controls = Controls(style=style, sounds={"mine": 1.0}, bpm=180.0)
    learned, state = LearnedPieces(library), arranger.start(3)
    forms: list[tuple[str, int]] = []
    turns: list[Turn] = []
    moved, before = 0.0, None
    while not turns or turns[-1].number < 3 + 2:
        now = learned.style(controls, state)
        assert now is not None
        if before is not None:
            moved = max(moved, float(np.linalg.norm(now - before)))
        before = now
        state, _ = arranger.write(state, now, controls, 6)
        forms.append((state.plan.form, sum(state.plan.counts)))
        turns.append(turn_of(state))
        assert len(turns) < 2000
    assert len({form for form, _ in forms}) == 1
    entered = np.diff([sections for _, sections in forms])
    assert entered.min() >= 0 and entered.max() == 1
    assert {turn.share for turn in turns} == {0.25, 0.5, 0.75, 1.0}
    assert 0.0 < moved < 0.5  # it glides
