"""How this program is called on a command line, for sentences that tell what to run. Pure."""

from __future__ import annotations

import sys
from typing import Final


def program_name(frozen: bool, platform: str) -> str:
    """The words before a sub-command: sources are run by Python, the bundle has a name of its own.

    On Windows the program with a window has no console; a second one stands beside it that has.
    """
    if not frozen:
        return "python main.py"
    return "segue-cli" if platform == "win32" else "segue"


def install_hint(packages: str, frozen: bool, python: str) -> str:
    """What to do where optional packages (names with spaces between) are missing.

    Into a bundle nothing can be installed, and another Python's pip would put them elsewhere.
    """
    if frozen:
        return "this download leaves them out, so run Segue from its sources, or play without"
    return f"run {python} -m pip install {packages}"


FROZEN: Final = bool(getattr(sys, "frozen", False))
PROGRAM_NAME: Final = program_name(FROZEN, sys.platform)
