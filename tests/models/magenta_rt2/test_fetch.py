"""Download of weights from a local server, with every fault on the way."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from app.cli.program import main
from models.errors import SegueError
from models.magenta_rt2.checkpoint import fetch, files, published
from models.magenta_rt2.checkpoint import licence_terms as terms
from models.magenta_rt2.checkpoint.published import REVISION, PublishedFile
from tests.models.magenta_rt2.hub_server import Hub, serving

ROOT = Path(__file__).resolve().parents[3]
SMALL, BASE = "magenta-rt2-small", "magenta-rt2-base"
CHECKPOINT = "checkpoints/mrt2_small.safetensors"
SPM = "resources/musiccoca/spm.model"


def released() -> dict[str, bytes]:
    random = np.random.default_rng(5)
    content = {path: random.bytes(3000 + 7 * len(path)) for path in files.SHARED}
    for path in (*files.CHECKPOINTS.values(), files.CODEC_ENCODER):
        size = 200_000 if "small" in path else 30_000
        content[path] = save({"params/x": random.standard_normal(size // 4).astype(np.float32)})
    return content


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(folder))
    # The hub's client waits a second before it tries again: the tests need not.
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    # What a broken connection costs is the chunk that was under way: 10 MB but for this.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    table = {
        path: PublishedFile(len(content), hashlib.sha256(content).hexdigest())
        for path, content in released().items()
    }
    monkeypatch.setattr(published, "FILES", table)
    return folder


@pytest.fixture
def hub(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(released())) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


def whole(place: Path, name: str, content: dict[str, bytes]) -> None:
    """The engine's folder is there with every file as it should be, and nothing besides."""
    folder = place / name
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {*files.required(name), files.FILE_LIST}
    for path in files.required(name):
        assert (folder / path).read_bytes() == content[path]
    assert not list(place.glob(".*arriving*")) and not list(place.glob(".*taken*"))


def refused(capsys: pytest.CaptureFixture[str], place: Path, words: str, *arguments: str) -> None:
    """The command prints one sentence, ends with 2, and no folder has appeared."""
    code = main(["models", "fetch", SMALL, "--accept", *arguments])
    error = capsys.readouterr().err
    assert code == 2
    assert words in error
    assert error.startswith("segue: ") and error.count("\n") == 1, error
    assert not (place / SMALL).exists()


def test_a_fetch(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", SMALL, "--accept"]) == 0
    captured = capsys.readouterr()
    assert "Creative Commons" in captured.out and captured.err == ""
    whole(place, SMALL, hub.files)
    assert files.is_installed(SMALL)
    assert main(["models", "verify", SMALL]) == 0
    listed = json.loads((place / SMALL / files.FILE_LIST).read_text())
    assert set(listed["files"]) == set(files.required(SMALL))
    assert listed["origin"].startswith("google/magenta-realtime-2@0123")


def test_the_terms_are_shown_once(
    hub: Hub, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Path(os.devnull).open())  # noqa: SIM115 - closed below
    assert main(["models", "fetch", SMALL]) == 2
    captured = capsys.readouterr()
    assert "give --accept" in captured.err and not terms.accepted() and not hub.requests
    sys.stdin.close()
    assert main(["models", "fetch", SMALL, "--accept"]) == 0
    assert "Creative Commons" in capsys.readouterr().out
    assert main(["models", "fetch", "magenta-rt2-base"]) == 0
    assert "Creative Commons" not in capsys.readouterr().out


def test_another_size_shares_what_is_here(hub: Hub, place: Path) -> None:
    fetch.fetch(SMALL, lambda line: None)
    hub.requests.clear()
    fetch.fetch("magenta-rt2-base", lambda line: None)
    assert [path for path, _ in hub.requests] == ["checkpoints/mrt2_base.safetensors"]
    whole(place, "magenta-rt2-base", hub.files)


def test_fetched_again_nothing_is_sent(hub: Hub, place: Path) -> None:
    fetch.fetch(SMALL, lambda line: None)
    hub.requests.clear()
    fetch.fetch(SMALL, lambda line: None)
    assert not hub.requests
    whole(place, SMALL, hub.files)


def test_a_fetch_repairs(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch.fetch(SMALL, lambda line: None)
    damaged = place / SMALL / SPM
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    assert main(["models", "verify", SMALL]) == 2
    assert f"{SPM} is damaged" in capsys.readouterr().err
    hub.requests.clear()
    fetch.fetch(SMALL, lambda line: None)
    assert [path for path, _ in hub.requests] == [SPM]
    whole(place, SMALL, hub.files)


def test_verify_before_a_fetch(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", SMALL]) == 2
    assert f"run python main.py models fetch {SMALL}" in capsys.readouterr().err


def test_a_dropped_connection_is_gone_on_with(hub: Hub, place: Path) -> None:
    """The connection breaks off twice: the rest is requested with Range, nothing is resent."""
    hub.drop_after = [70_000, 50_000]
    fetch.fetch(SMALL, lambda line: None)
    ranges = [byte_range for path, byte_range in hub.requests if path == CHECKPOINT]
    assert ranges[0] is None and len(ranges) == 3
    assert all(byte_range is not None and int(byte_range[6:-1]) > 0 for byte_range in ranges[1:])
    assert hub.sent == sum(len(hub.files[path]) for path in files.required(SMALL))
    whole(place, SMALL, hub.files)


def test_a_broken_off_fetch_is_gone_on_with_by_the_next(
    hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server dies for good after 90 kB; the next run requests the rest only."""
    hub.drop_after = [90_000] + [0] * 20
    refused(capsys, place, "it goes on where it stopped")
    hub.drop_after.clear()
    hub.requests.clear()
    fetch.fetch(SMALL, lambda line: None)
    first, byte_range = hub.requests[0]
    assert first == CHECKPOINT and byte_range == "bytes=90000-"
    whole(place, SMALL, hub.files)


@pytest.mark.skipif(os.name != "posix", reason="kills as only POSIX does")
def test_a_killed_fetch_is_gone_on_with(hub: Hub, place: Path) -> None:
    """The program is killed outright in the middle of a file, with no time to clean up."""
    hub.stall_after = 90_000
    program = (
        "import sys, huggingface_hub.constants as hub; hub.DOWNLOAD_CHUNK_SIZE = 10_000\n"
        "from app.cli.program import main\n"
        f"sys.exit(main(['models', 'fetch', '{SMALL}', '--accept', '--revision', 'main']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.DEVNULL, env=dict(os.environ)
    )
    try:
        assert hub.stalled.wait(60), "the program asked for nothing"
        arriving = place / f".{SMALL}.arriving" / "checkpoints"
        end = time.monotonic() + 30
        while sum(path.stat().st_size for path in arriving.glob("*.part")) < 80_000:
            assert time.monotonic() < end, "what had been sent did not reach the disk"
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
        hub.go_on.set()
    assert not (place / SMALL).exists()
    hub.requests.clear()
    fetch.fetch(SMALL, lambda line: None)
    path, byte_range = hub.requests[0]
    assert path == CHECKPOINT and byte_range is not None and int(byte_range[6:-1]) >= 80_000
    whole(place, SMALL, hub.files)


def test_a_partial_file_that_is_too_long_is_begun_anew(hub: Hub, place: Path) -> None:
    hub.drop_after = [90_000] + [0] * 20
    with pytest.raises(SegueError):
        fetch.fetch(SMALL, lambda line: None)
    (partial,) = place.glob(f".{SMALL}.arriving/checkpoints/*.part")
    partial.write_bytes(b"x" * 300_000)
    hub.drop_after.clear()
    fetch.fetch(SMALL, lambda line: None)
    whole(place, SMALL, hub.files)


def test_less_than_announced(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.short = {CHECKPOINT}
    refused(capsys, place, "sent less")
    hub.short = set()
    fetch.fetch(SMALL, lambda line: None)
    whole(place, SMALL, hub.files)


@pytest.mark.parametrize("plain", [False, True], ids=["sha256", "git"])
def test_a_wrong_checksum(
    hub: Hub, place: Path, capsys: pytest.CaptureFixture[str], plain: bool
) -> None:
    hub.corrupted = {SPM}
    hub.plain = {SPM} if plain else set()
    refused(capsys, place, "its checksum is wrong")
    hub.corrupted = set()
    hub.requests.clear()
    fetch.fetch(SMALL, lambda line: None)
    assert CHECKPOINT not in [path for path, _ in hub.requests], "a whole file was fetched twice"
    whole(place, SMALL, hub.files)


def test_no_network(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Hub({})) as gone:
        address = gone.address
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", address)  # nobody listens there any more
        refused(capsys, place, "--from FOLDER")


def test_a_hub_that_refuses(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.status = 403
    refused(capsys, place, "answered 403")


def test_a_hub_that_changed(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub.absent = {SPM}
    refused(capsys, place, f"has no {SPM}")


def test_the_pinned_revision_is_asked_for(hub: Hub, place: Path) -> None:
    fetch.fetch(SMALL, lambda line: None)
    fetch.fetch(SMALL, lambda line: None, revision="main")
    assert hub.revisions == [REVISION, "main"]


def test_a_file_that_was_exchanged_on_the_hub(
    hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hub's own digest fits it, the published one does not; another revision may have it."""
    hub.files[SPM] = bytes(reversed(hub.files[SPM]))
    refused(capsys, place, f"{SPM} on the hub is not the published one: its SHA-256 begins with")
    hub.plain = {SPM}
    refused(capsys, place, f"{SPM} is not the published one: its SHA-256 begins with")
    hub.files[SPM] += b"more"
    refused(capsys, place, "is not the published one: it has")
    assert main(["models", "fetch", SMALL, "--accept", "--revision", "main"]) == 0
    whole(place, SMALL, hub.files)
    capsys.readouterr()
    assert main(["models", "verify", SMALL]) == 0
    assert "@0123456789abcdef0123456789abcdef01234567, which is another" in capsys.readouterr().out


def test_the_published_files_are_those_that_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {path for name in files.ENGINES for path in files.required(name)}
    assert set(published.FILES) == needed | set(files.OPTIONAL)
    small = published.FILES[CHECKPOINT]
    assert small.size is not None
    assert published.fault_of_file(CHECKPOINT, small.size, "5dd1cbc7" + "0" * 56) is None
    assert "bytes" in str(published.fault_of_file(CHECKPOINT, 5, "5dd1cbc7" + "0" * 56))
    assert published.fault_of_file("checkpoints/mrt2_base.safetensors", 5, "60f3e8130") is None
    assert published.fault_of_file("an/other.file", 5, "0") is None


def test_a_small_disk_is_noticed_first(
    hub: Hub, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**5, 10**5))
    refused(capsys, place, "100.0 kB free")
    assert not hub.requests


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_the_disk_fills_up(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kernel's own answer: the partial file is a link to a device that is always full."""
    hub.drop_after = [90_000] + [0] * 20
    with pytest.raises(SegueError):
        fetch.fetch(SMALL, lambda line: None)
    hub.drop_after.clear()
    (partial,) = place.glob(f".{SMALL}.arriving/checkpoints/*.part")
    partial.unlink()
    partial.symlink_to("/dev/full")
    refused(capsys, place, "the disk filled up")
    partial.unlink()
    fetch.fetch(SMALL, lambda line: None)
    whole(place, SMALL, hub.files)


def test_a_place_that_cannot_be_written(
    hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place.write_text("a file is in the way")
    refused(capsys, place, "cannot be written")


def test_two_at_a_time(hub: Hub, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from filelock import FileLock

    place.mkdir()
    with FileLock(place / f".{SMALL}.lock"):
        refused(capsys, place, "is being fetched already")


# From a folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    for path, content in released().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_from_a_folder(place: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", SMALL, "--accept", "--from", str(folder)]) == 0
    whole(place, SMALL, released())
    assert main(["models", "verify", SMALL]) == 0
    assert (folder / CHECKPOINT).is_file()


def test_from_files_side_by_side(place: Path, folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in released():
        shutil.copy(folder / path, flat / Path(path).name)
    fetch.install_from_folder(SMALL, flat, lambda line: None)
    whole(place, SMALL, released())


def test_from_another_machines_folder(
    place: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installed folder carries its checksums along: damage on the way is found."""
    fetch.install_from_folder(SMALL, folder, lambda line: None)
    stick = tmp_path / "stick"
    shutil.move(place / SMALL, stick)
    fetch.install_from_folder(SMALL, stick, lambda line: None)
    whole(place, SMALL, released())
    shutil.rmtree(place / SMALL)
    (stick / SPM).write_bytes(b"\0" * (stick / SPM).stat().st_size)
    refused(capsys, place, "spm.model is damaged", "--from", str(stick))
    assert not list(place.glob(".*taken*"))


def test_a_folder_that_lacks_a_file(
    place: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / SPM).unlink()
    refused(capsys, place, f"lacks {SPM}", "--from", str(folder))


def test_a_folder_with_a_file_cut_short(
    place: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    refused(capsys, place, "it has 199980 bytes and not 200080", "--from", str(folder))
    refused(capsys, place, "is cut short", "--from", str(folder), "--revision", "mine")


def test_a_folder_with_a_file_of_another_revision(
    place: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / SPM).write_bytes(b"\1" * (folder / SPM).stat().st_size)
    refused(capsys, place, "is not the published one: its SHA-256", "--from", str(folder))
    (folder / SPM).write_bytes(b"\1")
    refused(capsys, place, "it has 1 bytes and not", "--from", str(folder))
    given = ["--from", str(folder), "--revision", "mine"]
    assert main(["models", "fetch", SMALL, "--accept", *given]) == 0
    capsys.readouterr()
    assert main(["models", "verify", SMALL]) == 0
    assert "@mine, which is another revision" in capsys.readouterr().out


def test_no_such_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, place, "is not a folder", "--from", "/nowhere/at/all")


def test_no_such_engine(place: Path) -> None:
    with pytest.raises(SegueError, match="choose magenta-rt2-small or magenta-rt2-base"):
        fetch.fetch("lyria", lambda line: None)


def test_the_embedded_engine_takes_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "segue", "--from", "/tmp"]) == 2
    assert "takes no folder" in capsys.readouterr().err


def test_a_damaged_list(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / SMALL).mkdir(parents=True)
    (place / SMALL / files.FILE_LIST).write_text("{")
    assert main(["models", "verify", SMALL]) == 2
    assert "is damaged" in capsys.readouterr().err
    assert not files.is_installed(SMALL)


def test_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(files.FOLDER_VARIABLE, str(tmp_path))
    assert files.folder_of(SMALL) == tmp_path / SMALL
    monkeypatch.delenv(files.FOLDER_VARIABLE)
    assert files.models_folder().parts[-2:] == ("Segue", "models")  # as settings and autosaves
    with pytest.raises(KeyError):
        files.folder_of("segue")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere both spellings name one folder")
def test_downloads_from_before_the_one_spelling_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    new, old = tmp_path / "Segue" / "models", tmp_path / "segue" / "models"
    assert files.models_folder() == new and files.folder_of(SMALL) == new / SMALL
    (old / SMALL).mkdir(parents=True)
    (old / f".{BASE}.arriving").mkdir()
    assert files.models_folder() == old  # what has half arrived there goes on arriving
    assert files.folder_of(SMALL) == old / SMALL and files.folder_of(BASE) == old / BASE
    new.mkdir(parents=True)
    assert files.models_folder() == new
    assert files.folder_of(SMALL) == old / SMALL and files.folder_of(BASE) == new / BASE
    (new / SMALL).mkdir()
    assert files.folder_of(SMALL) == new / SMALL
