"""Style send: when it listens, what it adds to the mix."""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.input.settings import INPUT_STYLE
from app.parameters.catalogue import build_registry, set_engine_sends
from app.session.document import Scene, SessionPrompt
from app.session.steering import StyleBook, steer
from app.session.style_send import STEADY, SendTimer, audible, mixed, parse_sends, settled
from models.errors import SegueError


def test_it_listens_with_every_bar_or_every_two_seconds() -> None:
    bars = SendTimer()
    asked = [t / 10 for t in range(100) if bars.due(t / 10, int(t / 10 / 1.9))]
    assert asked == [0.0, 1.9, 3.8, 5.7, 7.6, 9.5]
    free = SendTimer()
    assert [t for t in range(9) if free.due(float(t), None)] == [0, 2, 4, 6, 8]


def test_send_is_the_share_of_the_mix() -> None:
    book, prompt = StyleBook(), SessionPrompt("techno")
    mine, theirs = np.eye(2, 4, dtype=np.float32)
    book.add(prompt.style_key, theirs)
    shares = []
    for send in (0.0, 0.25, 0.5, 1.0):
        book.add(INPUT_STYLE, mine)
        scene = Scene(prompts=(prompt,), values={"send.style": send})
        steering = steer(scene, book, frozenset({"style"}))
        assert steering.controls.style is not None
        shares.append(float(steering.controls.style[0]))
        assert [p.text for p in steering.prompts] == ["techno"]  # the input is not recorded
    assert shares == pytest.approx([0.0, 0.25, 0.5, 1.0])
    book.remove(INPUT_STYLE)
    gone = steer(scene, book, frozenset({"style"})).controls.style
    assert gone is not None and gone[0] == 0.0


@pytest.mark.parametrize("length", [0.3, 1.0, 2.0])
def test_what_is_heard_counts_by_its_share_however_sure_the_ear_is(length: float) -> None:
    heard, prompt = np.eye(2, 4, dtype=np.float32)
    for amount in (0.0, 0.3, 1.0):
        found = mixed(prompt, np.float32(length) * heard, amount)
        assert found[:2] == pytest.approx([amount, 1.0 - amount])
    assert mixed(None, np.float32(length) * heard, 0.3)[:2] == pytest.approx([length, 0.0])


def test_what_is_heard_stays_while_it_is_nearly_the_same() -> None:
    """Also where it moves slowly: what counts is how far it is from what was taken last."""
    first = np.array([1.0, 0.0], np.float32)
    taken, moves = first, 0
    for angle in np.linspace(0.0, 1.0, 50):
        now = 0.7 * np.array([np.cos(angle), np.sin(angle)], np.float32)
        before, taken = taken, settled(taken, now)
        moves += taken is not before
        assert float(taken @ now) >= STEADY * np.linalg.norm(taken) * np.linalg.norm(now) - 1e-6
    assert moves == 3
    assert settled(None, first) is first
    longer = np.ones(3, np.float32)  # of another engine
    assert settled(first, longer) is longer


def test_silence_is_no_input() -> None:
    sound = np.zeros((1000, 2), np.float32)
    with pytest.raises(SegueError):
        audible(sound)
    sound[400:] = 0.1
    assert len(audible(sound)) == 600


def test_sends_of_the_command_line() -> None:
    assert parse_sends(["style=0.6"]) == {"style": 0.6}
    for wrong in ("style", "style=2", "style=much"):
        with pytest.raises(SegueError, match="0 to 1"):
            parse_sends([wrong])


def test_only_sends_of_the_engine_can_be_moved() -> None:
    registry = build_registry()
    assert not registry.available("send.style")
    set_engine_sends(registry, frozenset({"style"}))
    assert registry.available("send.style")
