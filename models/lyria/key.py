"""Key of the Gemini API: of the environment or the system's keyring, never of a file of ours."""

from __future__ import annotations

import os
from typing import Final

from models.errors import SegueError

VARIABLES: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""As google-genai reads them, in this order."""
SERVICE: Final = "segue"
USER: Final = "lyria-realtime"


def api_key() -> str:
    """The key.

    Raises:
        SegueError: there is none, or the keyring cannot be opened.

    """
    for name in VARIABLES:
        key = os.environ.get(name, "").strip()
        if key:
            return _checked(key, name)
    key = _from_keyring()
    if key:
        return _checked(key, "the keyring")
    raise SegueError(
        f"lyria-realtime needs a key of the Gemini API: set {VARIABLES[0]}, or keep it in the "
        f"system's keyring with `pip install keyring` and `keyring set {SERVICE} {USER}`."
    )


def _checked(key: str, place: str) -> str:
    """A key that can stand in a header."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SegueError(f"the key of {place} is none: copy it again, without spaces or line ends.")
    return key


def _from_keyring() -> str:
    """The key of the system's keyring; '' where there is none, or the package is not installed."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return ""
    try:
        return (keyring.get_password(SERVICE, USER) or "").strip()
    except KeyringError as error:
        raise SegueError(
            f"the system's keyring cannot be opened ({error}): unlock it, or set {VARIABLES[0]}."
        ) from None
