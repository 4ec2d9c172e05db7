"""Helper process for Ableton Link, in the Python where the user has installed LinkPython.

LinkPython is under the GPL: it is neither part of Segue nor among what Segue installs, and runs
here in a process of its own. Run as a script: `python link_helper.py`. Lines of JSON: the session's
tempo, play and peers go to the output, Segue's come in; at the input's end it ends.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time

POLL_SECONDS = 0.02
QUANTUM = 4.0


def say(**words: object) -> None:
    """Send a line to Segue."""
    print(json.dumps(words), flush=True)


def run() -> None:
    """Take part in a session until the input ends."""
    try:
        import link
    except ImportError:
        say(
            fault="Ableton Link needs the package LinkPython-extern, which you install yourself "
            f"(its licence is the GPL): {sys.executable} -m pip install LinkPython-extern"
        )
        return
    session = link.Link(120.0)
    session.startStopSyncEnabled = True
    session.enabled = True
    ended = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                take(session, json.loads(line))
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    before = None
    while not ended.is_set():
        state = session.captureSessionState()
        now = bool(state.isPlaying()), round(float(state.tempo()), 3), int(session.numPeers())
        if now != before:
            before = now
            say(playing=now[0], tempo=now[1], peers=now[2])
        ended.wait(POLL_SECONDS)
    session.enabled = False


def take(session: object, words: dict[str, float]) -> None:
    """Do in the session what Segue does. bar_at: time, by time.monotonic, at which a bar is heard:
    the session's bars are moved there as long as nobody else is in it.
    """
    state = session.captureSessionState()  # type: ignore[attr-defined]
    now = session.clock().micros()  # type: ignore[attr-defined]
    if "bar_at" in words:
        if session.numPeers():  # type: ignore[attr-defined]
            return
        at = now + round(1e6 * (words["bar_at"] - time.monotonic()))
        state.forceBeatAtTime(0.0, at, QUANTUM)
    if "tempo" in words:
        state.setTempo(words["tempo"], now)
    if "playing" in words:
        state.setIsPlaying(bool(words["playing"]), now)
    session.commitSessionState(state)  # type: ignore[attr-defined]


if __name__ == "__main__":
    run()
