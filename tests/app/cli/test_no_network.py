"""Nothing asked for: no packet sent, and no port open but that of OSC on loopback.

What is asked for listens on loopback only, too, unless an interface is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

WATCHED = """
import sys
seen = []
def watch(event, words):
    if event in ("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"):
        if words[1] is not None and not isinstance(words[1], (str, bytes)):  # of the network
            seen.append((event, words[1]))
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        seen.append((event, words))
sys.addaudithook(watch)
from tests.support.tone_engine import register_tone_engine
register_tone_engine()
"""

INSTRUMENT = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
import app.window.application as application
open_bridge = application.open_bridge
def when_open(*words):
    def ready():
        print("open", flush=True)
        input()
        QApplication.exit(0)
    QTimer.singleShot(500, ready)
    return open_bridge(*words)
application.open_bridge = when_open
application.run(engine="tone")
print(seen, flush=True)
"""

RENDER = """
from app.cli import main
code = main(["render", sys.argv[1], "--seconds", "0.3", "--prompt", "flute", "--engine", "tone"])
print(seen, flush=True)
"""

SERVE = """
from app.cli import main
sys.exit(main(["serve", "--port", "0", "--engine", "tone"]))
"""


RTAP = """
from app.cli import main
sys.exit(main(["rtap", "--port", "0", "--engine", "tone"]))
"""


def environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"),
        "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT),
    }  # fmt: skip


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", *words], cwd=ROOT, env=environment(folder), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def network_sockets(pid: int) -> list[str]:
    """Sockets of the network that a process and its children hold, as the system lists them."""
    inodes = set()
    for process in (pid, *children(pid)):
        for each in Path(f"/proc/{process}/fd").iterdir():
            try:
                target = str(each.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    held = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            if line.split()[9] in inodes:
                held.append(f"{table} {line.split()[1]}")
    return held


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


linux = pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="Linux lists sockets")


OSC = "udp 0100007F:2332"  # 127.0.0.1, port 9010


@linux
def test_rendering_and_the_instrument_open_no_port_and_send_nothing(tmp_path: Path) -> None:
    """With all its processes, as it is when it was just installed."""
    process = start([WATCHED + RENDER + INSTRUMENT, str(tmp_path / "out.wav")], tmp_path)
    try:
        assert process.stdout is not None
        lines = [line.strip() for line in iter(process.stdout.readline, "open\n")]
        assert lines[-1] == "[]"  # after rendering
        assert children(process.pid)  # the audio process is there
        assert set(network_sockets(process.pid)) <= {OSC}
        out, errors = process.communicate("\n", timeout=60)
    finally:
        process.kill()
    seen = out.splitlines()[-1]
    assert seen in ("[]", "[('socket.bind', ('127.0.0.1', 9010))]"), errors


@linux
def test_a_server_listens_on_loopback_only_and_ends_on_request(tmp_path: Path) -> None:
    process = start([WATCHED + SERVE], tmp_path)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("tone plays for this machine at remote://127.0.0.1:")
        (held,) = network_sockets(process.pid)
        assert held.startswith("tcp 0100007F:")
        process.terminate()
        process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0


@linux
def test_an_accompanist_listens_on_loopback_only_and_tells_what_came(tmp_path: Path) -> None:
    process = start([WATCHED + RTAP], tmp_path)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("tone accompanies: context to 127.0.0.1, port ")
        assert first.endswith("answers to 127.0.0.1, port 8000\n")
        (held,) = network_sockets(process.pid)
        assert held.startswith("udp 0100007F:")
        process.terminate()
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0 and "0 batches in 0 packets" in errors


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "70000"], "no port 70000"),
        (["--client-port", "0"], "no port 0"),
        (["--host", "0.0.0.0"], "name the client too"),
        (["--client", "studio"], "is no address"),
        (["--dream", "2"], "dream is 2"),
        (["--prompt", ""], "prompt is empty"),
    ],
)
def test_wrong_words_for_an_accompanist_are_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from app.cli import main

    assert main(["rtap", *words, "--engine", "tone"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "70000"], "no port 70000"),
        (["--sessions", "0"], "--sessions must be"),
        (["--replicas", "3-2"], "no number of replicas"),
        (["--replicas", "2"], "need the extra 'serve'"),
        (["--engine", "remote://a/b"], "is served there"),
        (["--certificate", "a.pem"], "leave --certificate out"),
        (["--host", "0.0.0.0", "--certificate", "a.pem"], "give both"),
        (["--host", "0.0.0.0", "--certificate", "a.pem", "--key", "b.pem"], "no certificate and"),
    ],
)
def test_wrong_words_are_a_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from app.cli import main

    monkeypatch.setattr("models.remote.credentials.data_folder", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)  # as where the extra is not installed
    assert main(["serve", *words]) == 2
    assert sentence in capsys.readouterr().err
