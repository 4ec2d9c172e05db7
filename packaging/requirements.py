"""Prints the dependencies in pyproject.toml for pip, one per line.

python packaging/requirements.py [EXTRA ...]
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parent.parent / "pyproject.toml"


def dependencies(extras: Sequence[str] = ()) -> list[str]:
    """The run-time dependencies, then those of the extras. KeyError for an unknown extra."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    found: list[str] = list(project["dependencies"])
    for extra in extras:
        found += project["optional-dependencies"][extra]
    return found


if __name__ == "__main__":
    print("\n".join(dependencies(sys.argv[1:])))
