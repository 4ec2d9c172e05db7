"""Durations and time offsets as text."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Whole seconds as minutes or hours: 75.4 -> '1:15', 3700 -> '1:01:40'."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def offset_text(seconds: float) -> str:
    """Signed tenths of a second: -75.3 -> '−1:15.3', 2.0 -> '+2.0 s'."""
    sign = "−" if seconds < 0 else "+"
    minutes, rest = divmod(abs(seconds), 60.0)
    return f"{sign}{int(minutes)}:{rest:04.1f}" if minutes >= 1 else f"{sign}{rest:.1f} s"
