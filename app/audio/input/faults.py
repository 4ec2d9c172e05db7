"""Faults of the input, as sentences: silence, clipping, values that are no numbers, lost sound."""

from __future__ import annotations

from typing import Final

SILENT_LEVEL: Final = 1e-6
"""Peak (-120 dB) below which nothing comes in: the noise of any open microphone is above it."""
SILENT_SECONDS: Final = 4.0
REPEAT_SECONDS: Final = 30.0
CLIPS: Final = 3
"""Clipped blocks within a second that are worth a word."""


class InputWatch:
    """Judges an open input, some times a second; each fault is said once in a while.

    Args:
        device: name of the device.
        now: seconds.

    """

    def __init__(self, device: str, now: float) -> None:
        self._device = device
        self._heard_at = now
        self._said: dict[str, float] = {}
        self._second = now
        self._lost = self._clips_then = self._howls = 0
        self._silent = False

    def update(
        self, now: float, peak: float, clips: int, invalid: int, lost: int, howls: int = 0
    ) -> list[tuple[str, str]]:
        """Level and sentence of what must be said now.

        Args:
            now: seconds.
            peak: of the raw input since the last call.
            clips: clipped blocks so far.
            invalid: blocks with values that are no numbers, so far.
            lost: blocks lost so far.
            howls: howls caught so far.

        """
        said: list[tuple[str, str]] = []

        def say(kind: str, sentence: str) -> None:
            if now - self._said.get(kind, -REPEAT_SECONDS) >= REPEAT_SECONDS:
                self._said[kind] = now
                said.append(("warning", sentence))

        if peak > SILENT_LEVEL:
            if self._silent:
                said.append(("info", f"{self._device} is heard again."))
            self._heard_at, self._silent = now, False
        elif now - self._heard_at >= SILENT_SECONDS and not self._silent:
            self._silent = True
            said.append(
                (
                    "warning",
                    f"nothing comes in from {self._device}: is it muted, or its cable unplugged?",
                )
            )
        if now - self._second >= 1.0:
            if clips - self._clips_then >= CLIPS:
                say("clip", f"{self._device} clips: turn it down where it is plugged in.")
            self._second, self._clips_then = now, clips
        if invalid:
            say("invalid", f"{self._device} sends samples that are no numbers: they are left out.")
        if howls > self._howls:
            self._howls = howls
            say(
                "howl",
                f"{self._device} howled and was turned down for a moment: use headphones, or move "
                "it away from the loudspeaker.",
            )
        if lost > self._lost:
            say("lost", f"sound from {self._device} was lost: choose a larger buffer if it lasts.")
            self._lost = lost
        return said
