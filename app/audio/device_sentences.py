"""What is said where a device stops, or the audio process has to be started again."""

from __future__ import annotations

from typing import Final

SERVERS: Final = {"JACK": "the JACK server", "PulseAudio": "the PulseAudio server"}
"""Sound servers by a word in the label of their devices."""


def source_of(label: str) -> str:
    """What a device depends on: its sound server, else itself."""
    for word, server in SERVERS.items():
        if word in label:
            return server
    return f"'{label}'" if label else "the audio device"


def lost_sentence(label: str) -> str:
    """The device's callbacks stopped."""
    return f"{source_of(label)} stopped: looking for it again."


def null_sentence(reason: str, lost: str) -> str:
    """No device could be opened. lost: label of the one that stopped before, '' for none."""
    if lost:
        return (
            f"{source_of(lost)} is not there: the music goes on unheard until it is back or "
            "another device is plugged in."
        )
    reason = reason or "there is no audio device"
    return f"{reason}: the music goes on unheard until one is plugged in."


def restart_sentence(hung: bool, lost: str) -> str:
    """The audio process was started again.

    Args:
        hung: It ended itself, because a device could not be closed.
        lost: Label of the device that stopped just before, '' for none.

    """
    reason = "it stopped"
    if hung:
        reason = f"{source_of(lost)} ended or no longer answers" if lost else "a device hung"
    return f"the audio process was started again ({reason})."
