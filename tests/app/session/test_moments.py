"""Places in the music that scenes keep, through files: written, damaged, lost, of other weights."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from app.parameters.catalogue import build_registry
from app.performance.moment import Moment
from app.session import moments_file as moments
from app.session import storage
from app.session.session import Session
from app.session.storage import Autosave
from models import Controls, open_engine
from models.storage.serialisation import NUMPY_DTYPES, PackedState
from tests.support.rig import LEFT, Rig

DEAD = 2**22 + 7  # above the kernel's largest process number


def moment(number: int, engine: str = "tone") -> Moment:
    """A moment as the worker gives it; all share their first array."""
    shared = np.arange(5000, dtype=np.float32)
    own = np.full((3, 4), number, np.uint8)
    packed = PackedState(engine, "w1", json.dumps({"array": number}), (shared, own))
    return Moment(4800 * number, None, 100 + number, engine, packed)


@pytest.fixture
def session() -> Session:
    """Scenes 1 and 5 with moments, scene 2 without."""
    made = Session(build_registry())
    for pad, key in ((1, "moment-a"), (2, None), (5, "moment-b")):
        made.scenes.save(pad, f"Scene {pad}", key)
        if key is not None:
            made.add_moment(key, moment(pad))
    return made


def reopened(path: Path) -> tuple[Session, str]:
    other = Session(build_registry())
    document = storage.load(path, other.registry)
    kept, lost = storage.load_moments(path, document)
    other.load(document, document.moments)
    assert other.pending_moments == document.moments
    other.add_loaded_moments(kept)
    assert not other.pending_moments
    return other, lost


def same(one: Moment, other: Moment) -> bool:
    assert one.packed is not None and other.packed is not None
    left, right = one.packed, other.packed
    return (
        (one.skip, one.engine, left.weights, left.tree)
        == (other.skip, other.engine, right.weights, right.tree)
        and len(left.arrays) == len(right.arrays)
        and all(
            a.dtype == b.dtype and np.array_equal(a, b)
            for a, b in zip(left.arrays, right.arrays, strict=True)
        )
    )


def test_moments_last_in_a_file_beside_the_session(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "gig.segue.json"
    assert storage.save(path, session.document(), session.moments) == ""
    side = tmp_path / "gig.moments.safetensors"
    assert sorted(tmp_path.iterdir()) == [side, path], "and no temporary file"
    assert json.loads(path.read_text())["moments"] == side.name
    assert side.stat().st_size < 2 * 20_000, "an array that moments share is there once"
    other, lost = reopened(path)
    assert lost == "" and set(other.moments) == {"moment-a", "moment-b"}
    assert same(other.moments["moment-a"], moment(1)) and same(other.moments["moment-b"], moment(5))
    assert [s.moment if s is not None else None for s in other.scenes[:5]] == [
        "moment-a", None, None, None, "moment-b",
    ]  # fmt: skip
    assert other.moments["moment-a"].position < 0, "its place is in no performance of now"


def test_only_what_scenes_still_need_is_written(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "gig.segue.json"
    session.scenes.clear(1)
    storage.save(path, session.document(), session.moments)
    assert set(reopened(path)[0].moments) == {"moment-b"}
    session.undo()
    storage.save(path, session.document(), session.moments)
    assert set(reopened(path)[0].moments) == {"moment-a", "moment-b"}, "undone, it is there again"
    session.scenes.clear(1)
    session.scenes.clear(5)
    storage.save(path, session.document(), session.moments)
    assert list(tmp_path.iterdir()) == [path], "a file that nothing needs is taken away"
    assert reopened(path)[1] == ""


def test_moments_that_no_scene_has_any_more_do_not_fill_the_memory(rig: Rig) -> None:
    rig.qtbot.mouseClick(rig.window.scenes.moment, LEFT)
    for _ in range(moments.MAX_SPARE + 8):
        rig.registry.trigger("scene.2.save")
    scene = rig.session.scenes[1]
    assert scene is not None and scene.moment in rig.session.moments
    assert len(rig.session.moments) == moments.MAX_SPARE + 1
    rig.session.undo()
    scene = rig.session.scenes[1]
    assert scene is not None and scene.moment in rig.session.moments, "an undo finds its own"


def test_spare_moments_of_a_large_engine_are_few() -> None:
    def heavy(key: str) -> Moment:
        packed = PackedState("large", "1", "{}", (np.zeros(40, np.uint8),))
        return Moment(0, None, packed=packed)

    keys = [f"moment-{n}" for n in range(6)]
    kept = {key: heavy(key) for key in keys}
    moments.drop_oldest(kept, {"moment-0"}, max_bytes=90)
    assert list(kept) == ["moment-0", "moment-4", "moment-5"]
    moments.drop_oldest(kept, (), max_bytes=1)
    assert list(kept) == ["moment-5"], "what was taken back last can always be had again"


def test_a_file_of_that_name_which_is_not_ours_stays(tmp_path: Path) -> None:
    path = tmp_path / "gig.segue.json"
    other = moments.path_for(path)
    other.write_text("somebody's own")
    storage.save(path, Session(build_registry()).document())
    assert other.read_text() == "somebody's own"


def test_a_session_that_gets_a_new_name_keeps_them(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "gig.segue.json"
    storage.save(path, session.document(), session.moments)
    renamed = path.rename(tmp_path / "evening.segue.json")
    found, lost = reopened(renamed)
    assert lost == "" and len(found.moments) == 2, "the session tells the name that it had"
    moments.path_for(path).rename(moments.path_for(renamed))
    assert len(reopened(renamed)[0].moments) == 2, "both were renamed"
    storage.save(tmp_path / "copy.segue.json", found.document(), found.moments)
    shutil.move(tmp_path / "copy.segue.json", tmp_path / "alone")
    moments.path_for(tmp_path / "copy.segue.json").unlink()
    moments.path_for(renamed).rename(tmp_path / "elsewhere")
    other, lost = reopened(tmp_path / "alone")
    assert "missing; put it beside the session" in lost and lost.count("\n") == 0
    assert other.moments == {} and other.document().moments == session.document().moments
    # Saved without them, it still knows them, for when the file is put back.
    storage.save(tmp_path / "gig.segue.json", other.document(), other.moments)
    (tmp_path / "elsewhere").rename(tmp_path / "gig.moments.safetensors")
    assert len(reopened(tmp_path / "gig.segue.json")[0].moments) == 2


def flip(side: Path, place: int) -> None:
    content = bytearray(side.read_bytes())
    content[place] ^= 0xFF
    side.write_bytes(bytes(content))


def a_folder(side: Path) -> None:
    side.unlink()
    side.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda side: side.write_bytes(b""),
    "text": lambda side: side.write_text("not a safetensors file at all"),
    "cut": lambda side: side.write_bytes(side.read_bytes()[:-100]),
    "header": lambda side: flip(side, 12),
    "a folder": a_folder,
    "all of it": lambda side: side.write_bytes(b"\xff" * 3000),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_one_sentence_and_the_session_opens(
    name: str, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "gig.segue.json"
    storage.save(path, session.document(), session.moments)
    DAMAGE[name](moments.path_for(path))
    other, lost = reopened(path)
    assert other.moments == {} and lost.count("\n") == 0 and "lost their places" in lost
    assert storage.to_json(other.document()) == storage.to_json(session.document())


def test_one_flipped_bit_loses_what_it_is_in_and_no_more(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "gig.segue.json"
    storage.save(path, session.document(), session.moments)
    side = moments.path_for(path)
    content = side.read_bytes()
    flip(side, content.index(b"\x05" * 12) + 3)  # what moment 5 has for itself
    other, lost = reopened(path)
    assert set(other.moments) == {"moment-a"} and same(other.moments["moment-a"], moment(1))
    assert lost == "1 of the scenes' places in the music are lost: 'gig.moments.safetensors' is " \
        "damaged."  # fmt: skip


def test_sessions_of_the_first_version_still_open(tmp_path: Path) -> None:
    old = storage.to_json(Session(build_registry()).document()) | {"version": 1}
    path = tmp_path / "old.segue.json"
    path.write_text(json.dumps(old))
    assert reopened(path)[1] == ""


def test_a_moment_that_cannot_be_kept_is_told(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "gig.segue.json"
    session.moments["moment-b"] = Moment(0, object(), 0, "magenta-rt2-small")
    said = storage.save(path, session.document(), session.moments)
    assert "will be gone" in said and said.count("\n") == 0
    other, lost = reopened(path)
    assert lost == "" and set(other.moments) == {"moment-a"}
    scene = other.scenes[4]
    assert scene is not None and scene.moment is None, "the scene itself is there"


def test_what_does_not_fit_a_file_is_told(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gig.segue.json"
    assert set(moments.storable(session.moments, session.moments, 30_000)) == {"moment-a"}
    monkeypatch.setattr(moments.storable, "__defaults__", (30_000,))
    assert "will be gone" in storage.save(path, session.document(), session.moments)
    assert set(reopened(path)[0].moments) == {"moment-a"}


def test_a_moments_file_is_one_that_safetensors_reads(tmp_path: Path) -> None:
    """With every type of number, and arrays of no size and of no dimension."""
    names = sorted(NUMPY_DTYPES)
    arrays = [np.ones((2, 3), name) for name in names] + [np.zeros((0, 4)), np.array(2.5)]
    packed = PackedState("e", "w", "{}", tuple(arrays))
    moments.write(tmp_path / "x", {"k": Moment(0, None, 3, "e", packed)})
    loaded = load_file(tmp_path / "x")
    assert len(loaded) == len(arrays)
    assert {array.dtype.name for array in loaded.values()} == set(names)
    found = moments.read(tmp_path / "x", ["k", "other"])
    assert set(found) == {"k"} and same(found["k"], Moment(0, None, 3, "e", packed))


def test_a_full_disk_loses_the_places_and_not_the_session(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "gig.segue.json"
    storage.save(path, session.document(), session.moments)
    before = moments.path_for(path).read_bytes()

    def full(array: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(moments, "_bytes", full)
    monkeypatch.setattr(moments, "_checksum", str)
    session.scenes.rename(2, "Renamed")
    said = storage.save(path, session.document(), session.moments)
    assert "not the places in the music" in said and "No space left" in said
    assert moments.path_for(path).read_bytes() == before
    assert "Renamed" in path.read_text()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_crash_leaves_the_moments_too(session: Session, tmp_path: Path) -> None:
    dead = Autosave(tmp_path / "auto", pid=DEAD)
    dead.write(session.document(), None, session.moments)
    side = moments.path_for(dead.path)
    written = side.stat().st_mtime_ns
    dead.write(session.document(), None, session.moments)
    assert side.stat().st_mtime_ns == written, "it is written again only for new moments"
    session.scenes.save(3, "more", "moment-c")
    session.add_moment("moment-c", moment(3))
    dead.write(session.document(), None, session.moments)
    mine = Autosave(tmp_path / "auto")
    mine.write(Session(build_registry()).document(), None)
    [found] = mine.left_over(session.registry)
    kept, lost = storage.load_moments(found.path, found.document)
    assert lost == "" and set(kept) == {"moment-a", "moment-b", "moment-c"}
    Autosave.discard(found)
    mine.remove()
    assert list((tmp_path / "auto").iterdir()) == []


def test_the_window_brings_a_place_back_after_a_crash_and_from_a_file(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the pad to the worker, through autosave, recovery, save and open."""
    rig.qtbot.mouseClick(rig.window.scenes.moment, LEFT)
    monkeypatch.setattr(
        rig.worker, "request_moment", lambda key: rig.worker.moment_ready.emit(key, moment(7))
    )
    rig.registry.trigger("scene.2.save")
    files = rig.window.files
    files._tick_in_background()
    rig.qtbot.waitUntil(lambda: moments.path_for(files.autosave.path).exists())
    dead = files.autosave.folder / f"autosave-{DEAD}.segue.json"
    rig.qtbot.waitUntil(files.autosave.path.exists)
    shutil.copy(files.autosave.path, dead)
    shutil.copy(moments.path_for(files.autosave.path), moments.path_for(dead))
    rig.session.new()
    assert rig.session.moments == {}
    files.offer_recovery()
    button = next(b for b in rig.window.banner.buttons if b.text() == "Take it up")
    rig.qtbot.mouseClick(button, LEFT)
    rig.qtbot.waitUntil(lambda: not dead.exists() and not moments.path_for(dead).exists())
    path = tmp_path / "gig.segue.json"
    assert files.save_path(path)
    rig.session.new()
    assert files.open_path(path)
    rig.qtbot.waitUntil(lambda: not rig.session.pending_moments)
    rig.registry.trigger("scene.2.recall")
    name, brought = rig.worker.calls[-1]
    assert name == "go_to_moment" and same(brought, moment(7))
    # Without its file the scene comes back all the same, and both are said.
    moments.path_for(path).unlink()
    assert files.open_path(path)
    rig.qtbot.waitUntil(lambda: "missing" in rig.window.status.message)
    said: list[str] = []
    rig.window.live.message.connect(lambda level, words: said.append(words))
    rig.registry.trigger("scene.2.recall")
    assert "without its place" in said[-1] and rig.worker.calls[-1][1] is brought


AGAIN = """
import hashlib, sys
from pathlib import Path
from app.session import storage
from app.parameters.catalogue import build_registry
from models import Controls, open_engine

path = Path(sys.argv[1])
document = storage.load(path, build_registry())
kept, lost = storage.load_moments(path, document)
assert lost == "", lost
engine = open_engine("segue", "cpu")
stream = engine.start(99)
stream.restore(engine.unpack(kept["moment-real"].packed))
controls = Controls(style=engine.embed_text("dub techno"), density=0.6)
print(hashlib.sha256(b"".join(stream.render(controls).tobytes() for _ in range(3))).hexdigest())
"""


def test_the_embedded_engine_goes_on_to_the_bit_in_another_process(tmp_path: Path) -> None:
    engine = open_engine("segue", "cpu")
    stream = engine.start(4)
    controls = Controls(style=engine.embed_text("dub techno"), density=0.6)
    for _ in range(6):
        stream.render(controls)
    packed = engine.pack(stream.snapshot())
    assert packed is not None
    blocks = b"".join(stream.render(controls).tobytes() for _ in range(3))
    session = Session(build_registry())
    session.scenes.save(1, "Real", "moment-real")
    session.add_moment("moment-real", Moment(0, None, 0, "segue", packed))
    path = tmp_path / "real.segue.json"
    assert storage.save(path, session.document(), session.moments) == ""
    again = subprocess.run(
        [sys.executable, "-c", AGAIN, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.strip() == hashlib.sha256(blocks).hexdigest()
