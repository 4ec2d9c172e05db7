"""What the command line understands beside commands: --version, --selftest, a session's file.

Main thread; imports nothing heavy. A file manager starts the program with nothing but the name of
the file that was clicked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.session.storage import SUFFIX


def special(arguments: Sequence[str]) -> int | None:
    """Do what a single flag asks for; the exit code, or None where it is an ordinary command."""
    if len(arguments) != 1:
        return None
    (word,) = arguments
    if word == "--version":
        from app.about import versions

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
    """The arguments without the session's file, and the file: the last one, if it is one."""
    words = list(arguments)
    if words and words[-1].endswith(SUFFIX) and not words[-1].startswith("-"):
        before = words[:-1]
        # `render --performance x.segue.json` is a mistake of another kind, and told as such.
        if len(before) % 2 == 0 and set(before[::2]) <= {"--engine", "--device"}:
            return before, Path(words[-1])
    return words, None
