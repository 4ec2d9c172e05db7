"""The scripts of packaging/, which is no package: they are loaded by their files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


@pytest.fixture(scope="session")
def script() -> Iterator[Callable[[str], ModuleType]]:
    """A script by its name. Their names are not kept: `build` and `sizes` could be anybody's."""
    before = set(sys.modules)
    sys.path.insert(0, str(PACKAGING))

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"segue_{name}", PACKAGING / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look themselves up there
        spec.loader.exec_module(module)
        return module

    yield load
    sys.path.remove(str(PACKAGING))
    ours = [name for name in sys.modules if name.startswith("segue_")]
    for name in ("contents", "licences", *ours):
        if name not in before:
            sys.modules.pop(name, None)
