"""Command line: everything that `python main.py ...` does.

Nothing heavy is imported before it is needed, as the time to the first block counts from here.
"""

from app.cli.program import main

__all__ = ["main"]
