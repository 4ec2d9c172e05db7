"""How this program is called on a command line, for sentences that tell what to run. Pure."""

from __future__ import annotations

import sys
from typing import Final


def call(frozen: bool, platform: str) -> str:
    """The words before a sub-command: sources are run by Python, the bundle has a name of its own.

    On Windows the program with a window has no console; a second one stands beside it that has.
    """
    if not frozen:
        return "python main.py"
    return "segue-cli" if platform == "win32" else "segue"


CALL: Final = call(bool(getattr(sys, "frozen", False)), sys.platform)
