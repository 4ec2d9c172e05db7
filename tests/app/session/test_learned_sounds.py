"""Learned sounds in a session: their amount is a parameter, and becomes the engine's controls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.performance.file import read_performance
from app.performance.player import PerformancePlayer
from app.performance.writer import PerformanceWriter
from app.session.document import from_json, to_json
from app.session.session import Session
from app.session.steering import StyleBook, steer
from models.engine.controls import Controls

ACTING = frozenset({"style", "sounds"})


@pytest.fixture
def session() -> Session:
    """Prompt 1 is a learned sound, prompt 2 are words; both count alike, the others do not."""
    made = Session()
    made.prompts.set(1, text="sound:Forest")
    for n, weight in enumerate((1.0, 1.0, 0.0, 0.0)[: len(made.prompts)], 1):
        made.registry.set(f"prompt.{n}.weight", weight)
    return made


def styles_of(session: Session) -> StyleBook:
    book = StyleBook()
    for prompt in session.prompts:
        book.add(prompt.style_key, np.ones(128, np.float32))
    return book


def test_the_amount_steers_the_engine(session: Session) -> None:
    registry, styles = session.registry, styles_of(session)
    assert registry.available("prompt.1.amount")
    assert not registry.available("prompt.2.amount")

    def sounds(acting: frozenset[str] = ACTING) -> dict[str, float]:
        return dict(steer(session.scenes.current(), styles, acting).controls.sounds)

    assert sounds() == {"forest": 0.5}
    registry.set("prompt.1.amount", 0.5)
    assert sounds() == {"forest": 0.25}
    registry.set("prompt.2.mute", True)
    assert sounds() == {"forest": 0.5}
    assert sounds(frozenset({"style"})) == {}
    registry.set("prompt.1.amount", 0.0)
    assert sounds() == {}
    registry.set("prompt.1.amount", 1.0)
    registry.set("prompt.1.weight", 0.0)
    # Closing the last fader changes nothing.
    last = {"forest": 0.5}
    kept = steer(session.scenes.current(), styles, ACTING, last_sounds=last)
    assert dict(kept.controls.sounds) == last
    session.prompts.set(1, text="flute")
    assert not registry.available("prompt.1.amount")


def test_sessions_and_scenes_keep_the_amount(session: Session) -> None:
    session.registry.set("prompt.1.amount", 0.75)
    again = from_json(json.loads(json.dumps(to_json(session.document()))), session.registry)
    assert again.values["prompt.1.amount"] == 0.75
    assert session.scenes.current().values["prompt.1.amount"] == 0.75
    session.prompts.move(1, 2)
    assert session.registry.get("prompt.2.amount") == 0.75
    assert session.registry.available("prompt.2.amount")


def test_performances_keep_the_amount(session: Session, tmp_path: Path) -> None:
    session.registry.set("prompt.1.amount", 0.75)
    steering = steer(session.scenes.current(), styles_of(session), ACTING)
    path = tmp_path / "performance.jsonl"
    with PerformanceWriter(path, "segue", 1) as writer:
        writer.record(0.0, steering.controls, steering.prompts)
    player = PerformancePlayer(
        read_performance(path), lambda prompts: np.ones(128, np.float32), 0.24
    )
    assert player.step().controls.sounds == steering.controls.sounds
    assert Controls().sounds != steering.controls.sounds
