"""First session of a new user: a few prompts that go well together."""

from __future__ import annotations

from typing import Final

from app.parameters.parameter import Value
from app.session.document import Document, SessionPrompt
from app.session.prompts import plane as plane

FIRST_PROMPTS: Final = (
    ("Minimal Techno", 1.0),
    ("Rhodes Piano", 0.6),
    ("Bongos", 0.4),
    ("Flute", 0.0),
)


def first_document() -> Document:
    """Document of a new session."""
    values: dict[str, Value] = {}
    points = plane.spread(len(FIRST_PROMPTS))
    for n, ((_, weight), (x, y)) in enumerate(zip(FIRST_PROMPTS, points, strict=True), 1):
        values |= {f"prompt.{n}.weight": weight, f"prompt.{n}.x": x, f"prompt.{n}.y": y}
    prompts = tuple(SessionPrompt(text, colour=n) for n, (text, _) in enumerate(FIRST_PROMPTS))
    return Document(prompts, values)
