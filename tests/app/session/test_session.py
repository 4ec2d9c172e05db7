"""The session: edits, undo, scenes, files, autosave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.parameters.catalogue import build_registry, set_engine_controls
from app.session import storage
from app.session.document import Document, to_json
from app.session.session import Session
from app.session.storage import Autosave, RecentFiles
from models.engine.controls import CONTROL_NAMES
from models.errors import SegueError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(clock: Clock) -> Session:
    session = Session(build_registry(), clock)
    set_engine_controls(session.registry, frozenset(CONTROL_NAMES))
    return session


def words(session: Session) -> list[str]:
    return [prompt.text for prompt in session.prompts]


def test_a_turned_knob_is_one_step(session: Session, clock: Clock) -> None:
    for value in (0.1, 0.2, 0.3):
        clock.now += 0.1
        session.registry.set("prompt.1.weight", value, "midi")
    session.registry.set("density", 0.9)
    assert session.undo() == "density" and session.registry.get("density") is None
    assert session.undo() == "prompt.1.weight"
    assert session.registry.get("prompt.1.weight") == 1.0
    assert session.undo() == "" and session.can_redo
    assert session.redo() == "prompt.1.weight"
    assert session.registry.get("prompt.1.weight") == 0.3


def test_every_edit_of_strips_can_be_undone(session: Session) -> None:
    before = session.document()
    n = session.prompts.add("Hang Drum", weight=0.5)
    session.prompts.set(n, text="Harp")
    session.prompts.move(n, 1)
    session.registry.set("prompt.1.solo", True)
    assert words(session)[0] == "Harp" and session.registry.get("prompt.1.weight") == 0.5
    assert session.prompts.shares()[0] == 1.0
    session.prompts.remove(3)
    session.prompts.set(1, text="loop", audio="/x/loop.wav")
    after = session.document()
    for _ in range(6):
        assert session.undo()
    assert session.document() == before and not session.can_undo
    for _ in range(6):
        assert session.redo()
    assert session.document() == after


def test_limits_of_strips(session: Session) -> None:
    while len(session.prompts) < 16:
        session.prompts.add("more")
    with pytest.raises(SegueError, match="most"):
        session.prompts.add("too many")
    assert len({prompt.colour for prompt in session.prompts}) == 16
    while len(session.prompts) > 1:
        session.prompts.remove(1)
    with pytest.raises(SegueError, match="must stay"):
        session.prompts.remove(1)
    with pytest.raises(SegueError, match="no prompt 2"):
        session.prompts.set(2, text="x")


def test_the_map_moves_the_weights_in_one_step(session: Session) -> None:
    before = session.document()
    x, y = session.prompts.points()[2]
    session.registry.set("map.x", x)
    session.registry.set("map.y", y)
    session.prompts.apply_map_weights("map")
    weights = [session.registry.number(f"prompt.{n}.weight") for n in range(1, 5)]
    assert weights[2] == 1.0 and max(w for n, w in enumerate(weights) if n != 2) < 0.2
    session.undo()
    assert session.document() == before


def test_scenes_bring_back_prompts_and_controls(session: Session, clock: Clock) -> None:
    session.registry.set("tempo", 140.0)
    session.scenes.save(3)
    assert session.scenes[2] is not None and session.scenes[2].name == "Minimal Techno"
    session.prompts.remove(1)
    session.registry.set("tempo", None)
    session.registry.set("mixer.master", -20.0)
    assert session.scenes.recall(5) is None
    session.scenes.recall(3)
    assert words(session)[0] == "Minimal Techno" and session.registry.get("tempo") == 140.0
    assert session.registry.get("mixer.master") == -20.0, "a scene leaves the volume alone"
    session.undo()
    assert len(session.prompts) == 3 and session.registry.get("tempo") is None
    session.scenes.swap(3, 4)
    session.scenes.rename(4, " Drop ")
    assert session.scenes[2] is None and session.scenes[3].name == "Drop"  # type: ignore[union-attr]
    session.scenes.clear(4)
    assert session.scenes[3] is None


def test_a_morph_ends_exactly_at_the_scene(session: Session) -> None:
    session.registry.set("density", 0.25)
    session.scenes.save(1)
    wanted = session.scenes.current()
    session.prompts.add("Choir", weight=2.0)
    session.prompts.remove(2)
    session.registry.set("density", 0.75)
    before = session.document()
    way = session.scenes.begin_morph(1, 4.0)
    assert way is not None and len(session.prompts) == 5
    assert session.prompts.shares()[4] > 0, "what leaves still sounds at first"
    assert not session.scenes.step_morph(way, 2.0)
    assert session.registry.get("density") == pytest.approx(0.5)
    assert session.scenes.step_morph(way, 4.1)
    assert session.scenes.current() == wanted
    session.undo()
    assert session.document() == before


def test_files_keep_everything(session: Session, tmp_path: Path) -> None:
    session.prompts.set(2, text="lööp", audio="/sounds/loop.flac")
    session.registry.set("key", "F# dorian")
    session.scenes.save(7, "A")
    session.seed = 99
    path = tmp_path / "x.segue.json"
    assert session.unsaved
    storage.save(path, session.document())
    session.mark_saved()
    other = Session(build_registry())
    other.load(storage.load(path, other.registry))
    assert to_json(other.document()) == to_json(session.document())
    assert other.registry.get("key") == "F# dorian", "kept although no engine has it yet"
    assert not other.registry.set("key", "C major")
    assert "lööp" in path.read_text(encoding="utf-8")


BASE = to_json(Session(build_registry()).document())
DAMAGE: dict[str, object] = {
    "a list": [],
    "another format": {"format": "other"},
    "no version": {**BASE, "version": None},
    "the future": {**BASE, "version": 3},
    "prompts no list": {**BASE, "prompts": {}},
    "prompt no dictionary": {**BASE, "prompts": [3]},
    "prompt no text": {**BASE, "prompts": [{"text": 3}]},
    "audio no text": {**BASE, "prompts": [{"audio": 3}]},
    "colour no number": {**BASE, "prompts": [{"text": "", "colour": "red"}]},
    "too many prompts": {**BASE, "prompts": [{"text": "x"}] * 17},
    "values no dictionary": {**BASE, "values": []},
    "tempo no number": {**BASE, "values": {"tempo": "fast"}},
    "tempo a list": {**BASE, "values": {"tempo": [1]}},
    "no such key": {**BASE, "values": {"key": "H major"}},
    "volume at auto": {**BASE, "values": {"mixer.master": None}},
    "not finite": {**BASE, "values": {"tempo": float("nan")}},
    "scenes no list": {**BASE, "scenes": 3},
    "too many scenes": {**BASE, "scenes": [None] * 17},
    "scene damaged": {**BASE, "scenes": [None, 3]},
    "scene value damaged": {**BASE, "scenes": [{"values": {"density": "x"}}]},
    "seed no number": {**BASE, "seed": "x"},
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_sessions_say_so_and_change_nothing(
    name: str, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "bad.segue.json"
    path.write_text(json.dumps(DAMAGE[name]))
    before = session.document()
    with pytest.raises(SegueError) as caught:
        session.load(storage.load(path, session.registry))
    assert str(caught.value).count("\n") == 0 and len(str(caught.value)) > 20
    assert session.document() == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_files_that_are_no_json(content: bytes, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "bad.segue.json"
    path.write_bytes(content)
    with pytest.raises(SegueError, match=r"bad\.segue\.json"):
        storage.load(path, session.registry)
    with pytest.raises(SegueError, match="could not be read"):
        storage.load(tmp_path / "none.json", session.registry)


def test_a_failed_save_leaves_the_old_file(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "x.segue.json"
    storage.save(path, Document())
    old = path.read_text()
    blocked = tmp_path / "no" / "x.json"
    with pytest.raises(SegueError, match="could not be written"):
        storage.save(blocked, session.document())
    assert path.read_text() == old and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_crash_is_offered_once(session: Session, tmp_path: Path) -> None:
    dead = Autosave(tmp_path / "auto", pid=2**22 + 7)  # above the kernel's largest process number
    session.prompts.add("Kora")
    dead.write(session.document(), tmp_path / "song.segue.json")
    (tmp_path / "auto" / "autosave-4194999.segue.json").write_text("{broken")
    mine = Autosave(tmp_path / "auto")
    mine.write(session.document(), None)
    found = mine.left_over(session.registry)
    assert [item.path for item in found] == [dead.path]
    assert to_json(found[0].document) == to_json(session.document())
    assert found[0].original == tmp_path / "song.segue.json"
    Autosave.discard(found[0])
    assert mine.left_over(session.registry) == []
    mine.remove()
    assert [path.suffix for path in (tmp_path / "auto").iterdir()] == [".damaged"]


def test_recent_files_newest_first(tmp_path: Path) -> None:
    recent = RecentFiles(tmp_path / "settings" / "recent.json")
    assert recent.paths() == []
    paths = [tmp_path / f"{n}.segue.json" for n in range(12)]
    for path in paths:
        path.touch()
        recent.add(path)
    recent.add(paths[5])
    names = [path.name.split(".")[0] for path in recent.paths()]
    assert names == ["5", "11", "10", "9", "8", "7", "6", "4", "3", "2"]
    paths[11].unlink()
    assert len(recent.paths()) == 9
