"""Performances: what a line may say, which block hears it, and that a recording reads the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from app.performance.file import Performance, parse_lines, read_performance
from app.performance.player import PerformancePlayer
from app.performance.writer import PerformanceWriter
from models import Controls, SegueError
from models.engine.controls import Style
from models.engine.parts import PartControls
from models.engine.prompts import Prompt


def mix(prompts: Sequence[Prompt]) -> Style:
    """A style that tells the prompts apart: their weights in a row."""
    return np.array([len(prompts), *(prompt.weight for prompt in prompts)], np.float32)


def player(*lines: dict[str, Any], block: float = 0.24) -> PerformancePlayer:
    changes = parse_lines([json.dumps(line) for line in lines])
    return PerformancePlayer(Performance(changes), mix, block)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "this is not JSON"),
        ("[1]", "a line is an object"),
        ('{"bpm": 120}', "t is missing"),
        ('{"t": -1}', "t is -1.0|t is -1"),
        ('{"t": NaN}', "t is nan"),
        ('{"t": "0"}', "t is '0'"),
        ('{"t": true}', "t is True"),
        ('{"t": 0, "tempo": 120}', "there is no 'tempo': choose from t, prompts, bpm"),
        ('{"t": 0, "bpm": NaN}', "bpm is nan"),
        ('{"t": 0, "bpm": 9}', "bpm is 9: give a number from 30 to 300"),
        ('{"t": 0, "key": "X"}', "'X' is not a key"),
        ('{"t": 0, "mute": ["choir"]}', "no stem 'choir'"),
        ('{"t": 0, "mute": "drums"}', "give a list of stems"),
        ('{"t": 0, "notes": [200]}', "200 is not a note"),
        ('{"t": 0, "clear": 1}', "clear is 1: write true"),
        ('{"t": 0, "moment": -2}', "moment is -2"),
        ('{"t": 0, "seed": 1.5}', "seed is 1.5"),
        ('{"t": 0, "engine": 3}', "engine is 3"),
        ('{"t": 0, "prompts": "flute"}', "prompts is a list"),
        ('{"t": 0, "prompts": ["flute"]}', '"flute" is no prompt'),
        ('{"t": 0, "prompts": [{"txt": "flute"}]}', "is no prompt"),
        ('{"t": 0, "prompts": [{"weight": 1}]}', "either text or audio"),
        ('{"t": 0, "prompts": [{"text": ""}]}', "the prompt is empty"),
        ('{"t": 0, "prompts": [{"text": 5}]}', "5 is no prompt"),
        ('{"t": 0, "prompts": [{"text": "a", "weight": -1}]}', "the weight of 'a' is -1"),
        ('{"t": 0, "prompts": [{"text": "a", "weight": "1"}]}', "the weight of 'a' is 1"),
        ('{"t": 0, "prompts": [{"text": "a", "weight": 0}]}', "all prompt weights are zero"),
    ],
)
def test_a_wrong_line_is_named_and_explained(line: str, words: str) -> None:
    with pytest.raises(SegueError, match=f"^night, line 3: .*({words})"):
        parse_lines(['{"t": 0}', "", line], "night")


def test_order_and_header_are_checked() -> None:
    with pytest.raises(SegueError, match="line 2: t goes back in time"):
        parse_lines(['{"t": 2}', '{"t": 1}'])
    with pytest.raises(SegueError, match="line 2: engine, seed and weights stand in the first"):
        parse_lines(['{"t": 0}', '{"t": 1, "seed": 4}'])
    with pytest.raises(SegueError, match="is empty"):
        parse_lines(["", "  "])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    for name, words in [
        ("none.jsonl", "there is no performance"),
        ("binary.jsonl", "must be JSON Lines in UTF-8"),
        (".", "cannot be read"),
    ]:
        with pytest.raises(SegueError, match=words):
            read_performance(tmp_path / name)


def test_the_header_and_the_end_are_found() -> None:
    lines = ['{"t": 0, "engine": "segue", "seed": 7}', '{"t": 3.5, "end": true}']
    performance = Performance(parse_lines(lines))
    assert (performance.engine, performance.seed, performance.end) == ("segue", 7, 3.5)
    bare = Performance(parse_lines(['{"t": 1}']))
    assert (bare.engine, bare.seed, bare.end) == (None, None, None)


@pytest.mark.parametrize(
    ("t", "block"),
    [
        (0.0, 0),
        (1e-7, 0),
        (1e-3, 1),
        (0.24, 1),
        (0.2401, 2),
        (0.72, 3),
        (24.0, 100),
        (2400.0, 10_000),
    ],
)
def test_a_change_is_heard_from_the_first_block_at_its_time(t: float, block: int) -> None:
    play = player({"t": t, "bpm": 99})
    bpms = [play.step().controls.bpm for _ in range(block + 2)]
    assert bpms == [None] * block + [99.0] * 2


@given(st.integers(0, 200_000), st.sampled_from([0.24, 0.16, 0.32, 0.04, 2048 / 48_000, 0.1]))
def test_the_start_of_a_block_is_read_back_as_that_block(block: int, seconds: float) -> None:
    """What the recorder writes, rounded to a microsecond, is heard in the very same block."""
    assert player({"t": 0}, block=seconds)._at(round(block * seconds, 6)) == block


def test_what_a_line_does_not_name_stays_and_null_means_auto() -> None:
    play = player(
        {"t": 0, "bpm": 120, "key": "A minor", "mute": ["drums"], "prompts": [{"text": "a"}]},
        {"t": 1, "density": 0.5},
        {"t": 2, "bpm": None, "mute": [], "prompts": []},
        block=1.0,
    )
    first, second, third = (play.step().controls for _ in range(3))
    assert first.style is not None
    assert first == Controls(style=first.style, bpm=120, key="A minor", mute=frozenset({"drums"}))
    assert second == first.with_(density=0.5)
    assert third == Controls(key="A minor", density=0.5)


def test_a_performance_goes_on_top_of_the_base() -> None:
    base = Controls(bpm=90, density=0.1)
    changes = parse_lines(['{"t": 0, "bpm": 120}'])
    step = PerformancePlayer(Performance(changes), mix, 1.0, base).step()
    assert step.controls == Controls(bpm=120, density=0.1)


def test_clear_and_moments() -> None:
    play = player(
        {"t": 1, "clear": True},
        {"t": 3, "moment": 2},
        {"t": 4, "clear": True},
        {"t": 4, "moment": 0},
        {"t": 5, "moment": 1},
        {"t": 5, "clear": True},
        block=1.0,
    )
    steps = [play.step() for _ in range(6)]
    assert [step.clear for step in steps] == [False, True, False, False, False, True]
    assert [step.moment for step in steps] == [None, None, None, 2, 0, None]
    assert play.moments == {0, 1, 2}


def test_a_moment_in_the_future_is_refused() -> None:
    with pytest.raises(SegueError, match="line 1: the moment lies in the future"):
        player({"t": 1, "moment": 2})


def test_a_prompt_that_cannot_be_used_is_known_before_the_first_block() -> None:
    def fails(prompts: Sequence[Prompt]) -> Style:
        raise SegueError("there is no file x.wav.")

    changes = parse_lines(['{"t": 0}', '{"t": 9, "prompts": [{"audio": "x.wav"}]}'], "night")
    with pytest.raises(SegueError, match=r"^night, line 2: there is no file x\.wav"):
        PerformancePlayer(Performance(changes), fails, 1.0)


def test_a_recording_plays_back_as_it_was_steered(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    techno = (Prompt(text="techno"), Prompt(text="flöte", weight=1 / 3))
    block = 0.24
    steered = [
        (0, Controls(bpm=124, strength={"bpm": 0.5}), techno),
        (3, Controls(bpm=124, strength={"bpm": 0.5}), techno),  # nothing changed
        (5, Controls(key="A minor", mute=frozenset({"drums", "bass"}), notes=(60, 64)), techno),
        (6, Controls(key="A minor", chaos=1 / 3), ()),
        (
            7,
            Controls(
                parts={"lead": PartControls(level=-3.5, instrument="flute", octave=1)},
                hold=4,
                variation=0.25,
                reroll=frozenset({"bass", "lead"}),
            ),
            (),
        ),
        (8, Controls(strikes=(60,), note_onsets="strike", note_width=127.0, top_k=50.0), ()),
        (9, Controls(note_onsets="strike", note_width=127.0, temperature=1.1), ()),
    ]
    with PerformanceWriter(path, "segue", 7) as writer:
        for number, controls, prompts in steered:
            writer.record(number * block, controls, prompts)
        writer.record(10 * block, steered[-1][1], (), clear=True)
        writer.record(11 * block, steered[-1][1], (), moment=2 * block)
        writer.record(12 * block, steered[-1][1], (), end=True)
        lines = path.read_text(encoding="utf-8").splitlines()  # before it is closed
    assert len(lines) == 9
    assert json.loads(lines[1])["bpm"] is None
    performance = read_performance(path)
    assert (performance.engine, performance.seed, performance.end) == ("segue", 7, 12 * block)
    play = PerformancePlayer(performance, mix, block)
    steps = [play.step() for _ in range(12)]
    for number, controls, prompts in steered:
        assert steps[number].controls == controls.with_(style=mix(prompts) if prompts else None)
    assert [number for number, step in enumerate(steps) if step.clear] == [10]
    assert [number for number, step in enumerate(steps) if step.moment == 2] == [11]


RECORDED, OTHER = "1a" * 32, "9f" * 32


@pytest.mark.parametrize(
    ("recorded", "engine", "here", "told"),
    [
        (RECORDED, "segue", OTHER, True),
        (RECORDED, "segue", RECORDED, False),
        (RECORDED, "segue", None, False),
        (RECORDED, "other", OTHER, False),
        (None, "segue", OTHER, False),
    ],
)
def test_other_weights_than_those_of_the_recording_are_told(
    tmp_path: Path, recorded: str | None, engine: str, here: str | None, told: bool
) -> None:
    path = tmp_path / "p.jsonl"
    with PerformanceWriter(path, "segue", 7, recorded) as writer:
        writer.record(0.0, Controls())
        writer.record(1.0, Controls(bpm=90.0))
    performance = read_performance(path)
    assert performance.weights == recorded
    warning = performance.weights_warning(engine, here)
    assert (warning is not None) is told
    if warning is not None:
        assert "1a1a1a1a" in warning and "9f9f9f9f" in warning


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"t": 0, "weights": 3}'], "weights is 3"),
        (['{"t": 0}', '{"t": 1, "weights": "1a"}'], "first line only"),
    ],
)
def test_weights_stand_in_the_first_line_as_text(lines: list[str], words: str) -> None:
    with pytest.raises(SegueError, match=words):
        parse_lines(lines)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("precious")
    with pytest.raises(FileExistsError):
        PerformanceWriter(tmp_path / "p.jsonl", "segue", 0)


def test_a_file_is_continued_where_the_performance_says(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (48_000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "end.wav", sound, 48_000, "FLOAT")
    path = tmp_path / "p.jsonl"
    with PerformanceWriter(path, "tone", 3) as writer:
        writer.record(0.0, Controls())
        writer.record(2.0, Controls(), continue_from="end.wav")
    play = PerformancePlayer(read_performance(path), mix, 1.0)
    steps = [play.step() for _ in range(4)]
    assert [step.continuation is not None for step in steps] == [False, False, True, False]
    assert steps[2].continuation is not None and np.array_equal(steps[2].continuation[0], sound)
    (tmp_path / "end.wav").unlink()
    with pytest.raises(SegueError, match=r"p\.jsonl, line 2: there is no file .*end\.wav"):
        PerformancePlayer(read_performance(path), mix, 1.0)
    with pytest.raises(SegueError, match="continue_from is 3"):
        parse_lines(['{"t": 0, "continue_from": 3}'])
