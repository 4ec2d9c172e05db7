"""Name of this program on a command line, for messages that tell what to run."""

from __future__ import annotations

import sys
from typing import Final


def program_name(frozen: bool, platform: str) -> str:
    """The words before a sub-command, for sources and for the bundle.

    On Windows the windowed executable has no console, so the bundle has a second one with it.
    """
    if not frozen:
        return "python main.py"
    return "segue-cli" if platform == "win32" else "segue"


def install_hint(packages: str, frozen: bool, python: str) -> str:
    """What to do about missing optional packages (names separated by spaces).

    Nothing can be installed into a bundle; `python` is named because another interpreter's pip
    would install them elsewhere.
    """
    if frozen:
        return "this download leaves them out, so run Segue from its sources, or play without"
    return f"run {python} -m pip install {packages}"


FROZEN: Final = bool(getattr(sys, "frozen", False))
PROGRAM_NAME: Final = program_name(FROZEN, sys.platform)
