"""The command line: what `python main.py ...` does without a window. Offline; starts the rest.

Nothing heavy is imported before it is needed: the time to the first block counts from here.
"""

from app.cli.program import main

__all__ = ["main"]
