"""The form over minutes, with the weights that ship: sections differ, and themes come back."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.controls import Controls
from models.evaluation.scores import form_figures, write
from models.segue.arranger import arranger as live
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.form import bar_line
from models.segue.style import StyleModel

PROMPTS = ("Irish Folk", "Hard Rock")


def figures() -> dict[str, float]:
    """Means over the prompts, ninety seconds each."""
    arranger, model = Arranger.load(), StyleModel.load()
    found = []
    for prompt in PROMPTS:
        style = model.embed_text(prompt)
        song = write(arranger, style, Controls(style=style, bpm=150.0), 90.0, 905_004)
        found.append(form_figures(song))
    return {name: float(np.mean([f[name] for f in found])) for name in found[0]}


def test_themes_come_back_because_they_are_recalled(monkeypatch: pytest.MonkeyPatch) -> None:
    recalled = figures()
    assert recalled["sections"] >= 2 and recalled["contrast"] > 0.1
    assert recalled["return pitch"] > recalled["other pitch"] + 0.15
    for module in (live, bar_line):
        monkeypatch.setattr(module, "find", lambda themes, section, bar: None)
    assert figures()["return pitch"] < recalled["return pitch"] - 0.05
