"""The program without a command: the instrument, or a demo where there is no display."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Final

from app.cli.render import length_of, make_player, seed_of
from app.cli.rendering import render_wav
from app.performance.file import read_performance
from models.engine.controls import Controls
from models.registry import DEFAULT_ENGINE, open_engine

RESOURCES: Final = Path(__file__).resolve().parent.parent.parent / "resources"
DEMO: Final = RESOURCES / "performances" / "demo.jsonl"


def instrument(chosen: Namespace) -> int:
    """Open the window, or render DEMO where there is no display."""
    engine = getattr(chosen, "engine", "")
    device = getattr(chosen, "device", "auto")
    if not has_display():
        print("segue: there is no display here, so a 30 s performance is written instead.")
        return demonstrate(engine or DEFAULT_ENGINE, device, Path.cwd())
    from app.window import application

    session = getattr(chosen, "session", None)
    opened = None if session is None else [str(session)]
    code: int = application.run(opened or (), engine=engine, device=device)
    return code


def has_display() -> bool:
    """Whether Qt can open a window, or a platform was chosen for it."""
    if os.environ.get("QT_QPA_PLATFORM") or not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def demonstrate(engine_name: str, device: str, folder: Path) -> int:
    """Render DEMO to segue-demo.wav and draw its spectrogram to segue-demo.png."""
    from app.cli.files.spectrogram import SpectrogramImage

    wav, picture = folder / "segue-demo.wav", folder / "segue-demo.png"
    played = read_performance(DEMO)
    engine = open_engine(engine_name, device)
    try:
        player = make_player(engine, [], Controls(), played)
        seconds = length_of(played)
        drawing = SpectrogramImage(engine.info.sample_rate, seconds)
        seed = seed_of(None, played)
        took = render_wav(engine, player, seed, seconds, wav, on_block=drawing.add)
    finally:
        engine.close()
    drawing.write(picture)
    print(f"{wav.name}: {seconds:g} s of music in {took:.1f} s, {seconds / took:.1f}x real time")
    print(f"{picture.name}: its spectrogram")
    return 0
