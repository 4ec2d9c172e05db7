"""Every package, library, typeface, icon and weight that comes along is named with its licence."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import numpy
import pytest

from app.window.dialogs import components as about

ROOT = Path(__file__).resolve().parents[2]
Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def licences(script: Load) -> ModuleType:
    """Loaded once: which file belongs to which package is read from a hundred thousand names."""
    return script("licences")


def test_files_are_traced_to_where_they_came_from(licences: ModuleType) -> None:
    stdlib = sysconfig.get_paths()["stdlib"]
    traced = licences.trace(
        [numpy.__file__, json.__file__, str(ROOT / "main.py"), "/x/VCRUNTIME140.dll"]
    )
    assert set(traced) == {"numpy", "Python", "Segue", "Windows runtime"}
    assert Path(traced["Python"][0]).is_relative_to(Path(stdlib).resolve())


def test_a_file_that_nobody_knows_stops_the_build(licences: ModuleType, tmp_path: Path) -> None:
    stray = tmp_path / "libmystery.so.1"
    stray.touch()
    with pytest.raises(licences.UnknownLicenceError, match="libmystery"):
        licences.collect([numpy.__file__, str(stray)])


def test_the_record_names_packages_libraries_and_what_is_no_code(
    licences: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = licences.collect([numpy.__file__, json.__file__])
    licences.write(found, tmp_path, "9.9")
    names = {one.part.name for one in found}
    assert {"numpy", "Python", "OpenBLAS (with numpy)", "Inter"} <= names
    assert all(one.part.licence for one in found)
    text = (tmp_path / about.NOTICES).read_text(encoding="utf-8")
    assert f"numpy {numpy.__version__}" in text and "Redistribution and use in source" in text
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in text and "Open Font License" in text
    (tmp_path / about.OWN).write_text("Segue itself\n", encoding="utf-8")
    monkeypatch.setattr(about, "LICENCES", tmp_path)
    assert about.version() == "9.9"
    assert {part.name for part in about.packages()} == names
    assert about.notices().startswith("Segue itself") and "numpy" in about.notices()


def test_every_dependency_names_a_licence(licences: ModuleType) -> None:
    for name in about.needed_names():
        try:
            owner = metadata.metadata(name)["Name"]
        except metadata.PackageNotFoundError:
            pytest.fail(f"{name} is asked for, but not installed")
        assert licences.describe(owner)[0].part.licence, name


def test_every_resource_is_named() -> None:
    text = (ROOT / "resources" / "licences" / about.OWN).read_text(encoding="utf-8")
    folder = ROOT / "resources"
    for path in (*folder.glob("theme/*.otf"), *folder.glob("theme/*.ttf")):
        assert path.name in text, path.name
    for path in folder.glob("weights/*"):
        if path.name != "manifest.json":
            assert path.name in text, path.name
    for path in folder.iterdir():
        if path.name not in ("screenshots", "licences", "theme", "weights"):
            assert f"resources/{path.name}" in text, path.name
    assert "LGPL" in text or "Lesser" in text
    assert "replace" in text


def test_from_sources_the_packages_are_read_from_the_environment() -> None:
    parts = {part.name: part for part in about.packages()}
    assert parts["numpy"].version == numpy.__version__
    assert all(part.version != "missing" for part in parts.values())
    rows = dict(about.versions(sound=False))
    assert rows["python"] == sys.version.split()[0] and "segue" in rows
    assert any(name.startswith("weights ") for name in rows)


@pytest.mark.skipif("SEGUE_BUNDLE" not in os.environ, reason="SEGUE_BUNDLE names no bundle")
def test_a_finished_bundle_names_every_library_in_it() -> None:
    """For the release: SEGUE_BUNDLE is the folder of the bundle."""
    bundle = Path(os.environ["SEGUE_BUNDLE"])
    inside = bundle / "_internal"
    table = json.loads((inside / "resources/licences" / about.BUNDLED).read_text(encoding="utf-8"))
    names = {part["name"].lower() for part in table["parts"]}
    assert not [part for part in table["parts"] if not part["licence"]]
    for name in ("torch", "numpy", "pyside6_essentials", "qt", "inter", "portaudio"):
        assert name in names, name
    present = {path.name.split("-")[0].split(".")[0].lower() for path in inside.iterdir()}
    for top in ("torch", "numpy", "pyqtgraph", "soxr", "tokenizers", "safetensors"):
        assert (top in names) or (top not in present), top
    for never in ("pytest", "numba", "scipy", "essentia", "librosa", "matplotlib"):
        assert never not in present and never not in names
