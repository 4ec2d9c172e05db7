"""Entry point of the command line: runs a command; errors become one line and an exit code.

Exit codes: 0 done, 1 failed (soak) or a bug, 2 an error that the user can correct,
130 stopped with Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from app.cli.arguments import parse
from app.cli.flags import special, take_session
from models.errors import SegueError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (sys.argv without the program's name if None); the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        done = special(words)
        if done is None:
            words, session = take_session(words)
            chosen = parse(words)
            chosen.session = session
            done = chosen.command(chosen)
        sys.stdout.flush()
        return done
    except SegueError as error:
        print(f"segue: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("segue: stopped; no half-written file was left.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has ended, as in `... | head`. Python flushes once more at exit.
        sys.stdout = sys.stderr
        return 1
