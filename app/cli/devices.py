"""`python main.py devices` and `soak`: what needs the audio device. Starts the audio lane."""

from __future__ import annotations

import math
from argparse import Namespace

from models.errors import SegueError


def devices(chosen: Namespace) -> int:
    """List audio and MIDI ports."""
    from app.cli import soak as cli

    code: int = cli.devices()
    return code


def soak(chosen: Namespace) -> int:
    """Play for some minutes; 1 if the sound broke off."""
    if not math.isfinite(chosen.minutes) or not 0 < chosen.minutes <= 24 * 60:
        raise SegueError(f"--minutes is {chosen.minutes:g}: give a length from 0 to 1440.")
    from app.cli import soak as cli

    code: int = cli.soak(
        minutes=chosen.minutes,
        as_json=chosen.json,
        engine=getattr(chosen, "engine", "segue"),
        device=getattr(chosen, "device", "auto"),
    )
    return code
