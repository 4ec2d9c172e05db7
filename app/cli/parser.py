"""Parser of the command line, and commands whose modules are imported only when they run."""

from __future__ import annotations

import argparse
import importlib
import signal
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, TypeAlias

from models.errors import SegueError


class Parser(argparse.ArgumentParser):
    """argparse with errors as one line."""

    def error(self, message: str) -> NoReturn:
        raise SegueError(f"{message}. See: {self.prog} --help")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def call_later(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """Command function of a module that is imported only when it runs."""

    def run(chosen: argparse.Namespace) -> int:
        stop_as_interrupt()
        code: int = getattr(importlib.import_module(module), name)(chosen)
        return code

    return run


def stop_as_interrupt() -> None:
    """Handle SIGTERM as Ctrl-C, so that temporary files are deleted and devices released."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # only the main thread may; a test may call from another
        pass
