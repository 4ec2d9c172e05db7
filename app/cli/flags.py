"""Arguments beside commands: --version, --selftest, and the file of a session.

A file manager starts the program with nothing but the name of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.session.storage import SUFFIX


def special(arguments: Sequence[str]) -> int | None:
    """Run a flag that stands alone; its exit code, or None for an ordinary command."""
    if len(arguments) != 1:
        return None
    (word,) = arguments
    if word == "--version":
        from app.window.dialogs.components import versions

        rows = versions()
        width = max(len(name) for name, _ in rows)
        for name, version in rows:
            print(f"{name:<{width}}  {version}")
        return 0
    if word == "--selftest":
        from app.cli.selftest import selftest

        return selftest()
    return None


def take_session(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """Arguments without the session's file, and that file, if the last argument is one."""
    words = list(arguments)
    if words and words[-1].endswith(SUFFIX) and not words[-1].startswith("-"):
        before = words[:-1]
        # `render --performance x.segue.json` is an error of another kind.
        if len(before) % 2 == 0 and set(before[::2]) <= {"--engine", "--device"}:
            return before, Path(words[-1])
    return words, None
