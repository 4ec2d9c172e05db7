"""The weights' manifest: whole, missing and damaged files, and those that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import SegueError, open_engine
from models.storage import weights as weights_module
from models.storage.weights import (
    MANIFEST,
    WEIGHTS,
    check_files,
    embedded_files,
    fault_of,
    files_of,
    read_manifest,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.safetensors").write_bytes(b"some weights")
    (tmp_path / "words.json").write_text("{}")
    (tmp_path / "MODEL.md").write_text("to be read")
    write_manifest("segue", embedded_files(tmp_path), tmp_path)
    return tmp_path


def test_the_manifest_holds_what_the_engine_loads(folder: Path) -> None:
    assert [file.name for file in files_of("segue", folder)] == ["a.safetensors", "words.json"]
    assert files_of("other", folder) == ()
    write_manifest("other", ["words.json"], folder)
    assert {file.engine for file in read_manifest(folder)} == {"segue", "other"}
    check_files("segue", folder)


def test_every_byte_is_counted_for_the_progress_bar(folder: Path) -> None:
    counted: list[int] = []
    assert fault_of(files_of("segue", folder)[0], folder, counted.append) is None
    assert sum(counted) == len(b"some weights")


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"some weight", "damaged"), (b"some weighty", "damaged"), (None, "missing")],
)
def test_a_file_that_is_not_whole_is_named(folder: Path, content: bytes | None, fault: str) -> None:
    path = folder / "a.safetensors"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert fault_of(files_of("segue", folder)[0], folder) == fault
    with pytest.raises(SegueError, match=rf"a\.safetensors is {fault}: put it back"):
        check_files("segue", folder)


def test_a_manifest_that_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(SegueError, match="manifest.json is missing"):
        read_manifest(tmp_path)
    for text in ("{", "[]", '{"segue": {"a": {}}}'):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(SegueError, match="manifest.json is damaged"):
            read_manifest(tmp_path)


def test_a_damaged_weights_file_keeps_the_engine_shut(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.safetensors").write_bytes(b"SOME weights")

    def check(engine: str) -> None:
        check_files(engine, folder)

    monkeypatch.setattr(weights_module, "check_files", check)
    with pytest.raises(SegueError, match="a.safetensors is damaged"):
        open_engine("segue")


def test_the_shipped_weights_are_those_of_the_manifest() -> None:
    """If this fails after training or exporting: python -m models.storage.weights."""
    assert [file.name for file in files_of("segue")] == embedded_files()
    check_files("segue")


def test_the_shipped_weights_are_small_and_never_pickled() -> None:
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 80e6
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md", ".png"}
    table = json.loads((WEIGHTS / MANIFEST).read_text(encoding="utf-8"))
    assert "segue" in table
