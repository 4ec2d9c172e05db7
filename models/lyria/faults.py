"""Sentences for what the service or the line to it refuses."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from models.errors import SegueError
from models.lyria.key import SERVICE, USER, VARIABLES

NAME: Final = "lyria-realtime"
_KEY_WORDS: Final = ("api key", "api_key", "credential", "unauthenticated", "permission")
_QUOTA_WORDS: Final = ("quota", "resource_exhausted", "resource exhausted", "rate limit")


@dataclass(frozen=True)
class LineFault:
    """Why a session ended or did not begin. lasting: whether somebody must act."""

    sentence: str
    lasting: bool = False


def line_fault(error: BaseException | None) -> LineFault:
    """What an error means; None for a session that the service ended in good order."""
    if error is None:
        return LineFault(f"{NAME} ended the session.")
    if isinstance(error, SegueError):
        return LineFault(str(error))
    if isinstance(error, InvalidStatus):
        response = error.response
        reason = (response.body or b"")[:2000].decode("utf-8", "replace")
        return _refusal(response.status_code, reason or response.reason_phrase)
    if isinstance(error, ConnectionClosed):
        if error.rcvd is None:
            return LineFault(f"the line to {NAME} is cut.")
        return _refusal(error.rcvd.code, error.rcvd.reason)
    if isinstance(error, ssl.SSLError):
        return LineFault(f"{NAME} cannot be trusted (TLS: {error.reason}): is the clock right?")
    if isinstance(error, InvalidHandshake):
        return LineFault(f"what answers in place of {NAME} does not speak its protocol.")
    return LineFault(f"{NAME} does not answer: is this machine on the network?")


def _refusal(code: int, reason: str) -> LineFault:
    """Fault of an HTTP status or a close code, with what the service said."""
    words = reason.lower()
    if code == 429 or any(word in words for word in _QUOTA_WORDS):
        return LineFault(
            f"the quota of {NAME} is used up: wait, or raise it where the key was made.", True
        )
    if code in (401, 403) or any(word in words for word in _KEY_WORDS):
        return LineFault(
            f"{NAME} refuses the key: check {VARIABLES[0]}, or `keyring set {SERVICE} {USER}`.",
            True,
        )
    if code == 404 or "not found" in words:
        return LineFault(f"{NAME} is not offered under its name any more ({code}).", True)
    if code in (1000, 1001):
        return line_fault(None)
    said = " ".join(reason.split())[:120]
    return LineFault(f"{NAME} refuses the session ({f'{code}: {said}' if said else code}).")
