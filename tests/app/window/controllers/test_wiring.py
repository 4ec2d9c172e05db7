"""What OSC tells of the sound."""

from __future__ import annotations

from app.audio.input.settings import InputStatus
from app.audio.settings import AudioStatus
from app.window.controllers.wiring import dropouts


def test_no_xrun_is_hidden_of_output_or_input() -> None:
    audio = AudioStatus(underruns=1, xruns=570, input=InputStatus(lost=3))
    assert dropouts(audio) == {"underruns": 1, "xruns": 570, "input_xruns": 3}
