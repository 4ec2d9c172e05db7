"""Echo renderer: what the renderer makes of the delayed input, beside the music.

Its sound is a chain: each link is one more block of the delayed input, fed to a dreamer, and its
name is a digest of all that went into it. Links are made once, however often the plan is rewritten:
by a thread while the music plays, so that a slow renderer costs the echo and never the music, or at
once where somebody can wait.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.segue.dream.dreamer import Dreamer, DreamSound

Audio = NDArray[np.float32]

KEPT: Final = 64
"""Links that are kept: more than a plan has blocks."""
IDLE_SECONDS: Final = 20.0
"""Seconds without a request after which the thread ends."""
TOLD_SECONDS: Final = 60.0
"""Seconds between two sentences, and of a rest after a failure."""
LATE: Final = "the echo is dry for a moment: the renderer is late, as the machine is busy."


class Made(NamedTuple):
    """What a chain gave: the dreamer's state after a link, and the sound that came with it, (n, 2),
    in time with what was fed: the first link brings more than its own time, or none yet.
    """

    state: DreamSound
    sound: Audio


class EchoLink(NamedTuple):
    """One more block of a chain.

    before, name: of the chain without and with it. guide: delayed input, (BLOCK, 2). controls: with
    the style and the learned sounds. sigma: how far from the guide, as of `Dreamer.feed`. seed: of
    the chain's noise, for its first link.
    """

    before: bytes
    name: bytes
    guide: Audio
    controls: Controls
    sigma: float
    seed: int


def echo_link(before: bytes, guide: Audio, controls: Controls, sigma: float, seed: int) -> EchoLink:
    """A link behind a chain, with its name. before: b"" for the first one."""
    style = b"" if controls.style is None else controls.style.tobytes()
    rest = repr((sigma, seed, sorted(controls.sounds.items()))).encode()
    digest = hashlib.blake2b(b"".join((before, rest, style)), digest_size=16)
    digest.update(guide.tobytes())
    return EchoLink(before, digest.digest(), guide, controls, sigma, seed)


class EchoRenderer:
    """Renderer of the echo, and what it made last. Safe to use from several threads.

    Args:
        dreamer: gives the renderer when it is needed, loading it the first time.

    """

    def __init__(self, dreamer: Callable[[], Dreamer]) -> None:
        self.dry = False
        """Whether what is heard now does without it, as it is late."""
        self._dreamer = dreamer
        self._made: OrderedDict[bytes, Made] = OrderedDict()
        self._asked: tuple[EchoLink, ...] = ()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = self._making = False
        self._notices: tuple[tuple[str, str], ...] = ()
        self._late_told, self._rest_until = -TOLD_SECONDS, 0.0

    def made(self, link: EchoLink) -> Made | None:
        """What a link gave; None where it is not made yet."""
        with self._wake:
            made = self._made.get(link.name)
            if made is not None:
                self._made.move_to_end(link.name)
            return made

    def make(self, link: EchoLink, before: DreamSound | None) -> Made:
        """As `made`, making it now. before: the state without it; None for the first link."""
        return self.made(link) or self._feed(link, before)

    def ask(self, links: Sequence[EchoLink], before: DreamSound | None) -> None:
        """Make links one after another, in the thread; a newer request takes the place of an older.

        before: the state without the first of them; None for the first link of a chain.
        """
        with self._wake:
            if self._closed or not links or time.monotonic() < self._rest_until:
                return
            if before is not None and links[0].before not in self._made:
                self._keep(links[0].before, Made(before, before.audio[:0]))
            self._asked = tuple(links)
            self._wake.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="echo", daemon=True)
                self._thread.start()

    def late(self) -> None:
        """Note that a block had to be heard without what was asked for."""
        self.dry = True
        now = time.monotonic()
        with self._wake:
            if now - self._late_told >= TOLD_SECONDS:
                self._late_told = now
                self._notices = (*self._notices, ("info", LATE))

    def take_notices(self) -> tuple[tuple[str, str], ...]:
        """(level, sentence) for the performer since the last call."""
        with self._wake:
            notices, self._notices = self._notices, ()
            return notices

    @property
    def busy(self) -> bool:
        """Whether the thread has something to make."""
        with self._wake:
            return bool(self._asked) or self._making

    def close(self) -> None:
        """End the thread."""
        with self._wake:
            self._closed, self._asked = True, ()
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _keep(self, name: bytes, made: Made) -> None:
        self._made[name] = made
        self._made.move_to_end(name)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)

    def _feed(self, link: EchoLink, before: DreamSound | None) -> Made:
        dreamer = self._dreamer()
        controls = link.controls
        fed = dreamer.feed(
            dreamer.start(link.seed) if before is None else before,
            link.guide,
            None,
            controls.style,
            link.sigma,
            sounds=controls.sounds,
        )
        sound, state = dreamer.take(fed, len(fed.audio))
        made = Made(state, sound)
        with self._wake:
            self._keep(link.name, made)
        return made

    def _run(self) -> None:
        while True:
            with self._wake:
                self._making = False
                if not self._asked and not self._closed:
                    self._wake.wait(IDLE_SECONDS)
                if not self._asked:
                    self._thread = None
                    return
                link, *rest = self._asked
                self._asked, self._making = tuple(rest), True
                before = self._made.get(link.before)
                there = link.name in self._made
            if there or (link.before and before is None):
                continue
            try:
                self._feed(link, before and before.state)
            except Exception as error:  # the music goes on, and the echo is dry
                sentence = f"the echo stays dry ({error}): close the send, or set its dream to 0."
                with self._wake:
                    self._asked, self._rest_until = (), time.monotonic() + TOLD_SECONDS
                    self._notices = (*self._notices, ("warning", sentence))
