"""Pure Data in a process of its own, playing a file through the accompaniment's patch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PATCH = Path(__file__).resolve().parents[2] / "resources" / "osc" / "rtap.pd"
RATE = 44_100
BEGINS = 0.3
"""Seconds after the settings at which the patch begins to record."""


def missing() -> str:
    """Why Pd cannot run here; '' if it can."""
    return "" if shutil.which("pd") else "pd not installed (Debian: apt install puredata-core)"


def play(
    context: Path, record: Path, batches: int, *, server: int, client: int, stem: int = 1,
    ratio: float = 0.25, look_ahead: int = 1,
) -> subprocess.Popen[str]:  # fmt: skip
    """Start Pd, without a sound card: its clock is the computer's.

    Args:
        context: a WAV file of one channel at 44.1 kHz, which is played.
        record: the WAV file to write: left the context, right the answer, as they are played.
        batches: of context to send; Pd ends a moment after the last.
        server: port of the server.
        client: port to listen on.
        stem: index in `messages.STEMS`.
        ratio: of the window.
        look_ahead: -1, 0 or 1.

    """
    seconds = BEGINS + batches * int(264_600 * ratio + 0.02) / RATE + 0.02
    messages = [
        "rtap-connect disconnect", f"rtap-connect connect 127.0.0.1 {server}",
        f"rtap-listen {client}", f"rtap-stem {stem}", f"rtap-r {ratio}", f"rtap-w {look_ahead}",
        f"rtap-open symbol {context}", f"rtap-record symbol {record}",
        f"rtap-end-after {1000 * seconds:.0f}", "rtap-begin-now 1",
    ]  # fmt: skip
    sends = [word for message in messages for word in ("-send", message)]
    return subprocess.Popen(
        ["pd", "-nogui", "-noaudio", "-r", str(RATE), "-stderr", "-open", str(PATCH), *sends],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
