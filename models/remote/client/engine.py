"""Engine on a server, as an engine here: `open_engine("remote://studio:7177/magenta-rt2-base")`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

from models.engine.interface import Engine, EngineInfo, Samples, Snapshot, Stream, Style, as_style
from models.engine.prompt_checks import check_prompt_audio, check_prompt_text
from models.errors import SegueError
from models.remote.client.line import RemoteLine
from models.remote.client.snapshot import NO_NUMBER, RemoteSnapshot
from models.remote.client.stream import RemoteStream
from models.remote.client.trust import Trust
from models.remote.protocol.address import parse_address
from models.remote.protocol.audio import describe_audio
from models.remote.protocol.messages import Answer, Ask
from models.storage.serialisation import PackedState

ANSWER_SECONDS: Final = 30.0
PACK_SECONDS: Final = 3.0
"""For moments: the inference thread waits for them."""


class RemoteEngine(Engine):
    """Engine on a server. Styles and moments are made there."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        """Connect; folder: of the known servers, by default the user's.

        Raises:
            SegueError: the address is none, nothing answers there, or the server refuses.

        """
        address = parse_address(name)
        trust = Trust(address, lambda level, sentence: self.line.tell(level, sentence), folder)
        self.line = RemoteLine(address, trust)
        self.line.open()
        assert self.line.info is not None
        self._info = self.line.info

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def weights_identity(self) -> str | None:
        return self.line.weights

    @property
    def line_seconds(self) -> float | None:
        return self.line.journeys.seconds if self.line.connected else None

    def notices(self) -> tuple[tuple[str, str], ...]:
        return self.line.notices()

    def start(self, seed: int = 0) -> Stream:
        rate = self._info.sample_rate
        return RemoteStream(
            self.line, self._info, seed, lambda sound, number: self._listen(sound, rate, number)
        )

    def embed_text(self, text: str) -> Style:
        answer, body = self._ask("embed_text", text=check_prompt_text(text))
        return self._style(answer, body)

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        described, content = self._audio(samples, sample_rate)
        return self._style(*self._ask("embed_audio", content, text=described))

    def nearest_terms(self, style: Style, count: int) -> tuple[str, ...]:
        content = np.asarray(style, "<f4").tobytes()
        try:
            return self._ask("nearest_terms", content, count=count)[0].names
        except SegueError:  # it is only shown
            return ()

    def snapshot_after(self, samples: Samples, sample_rate: int, seed: int = 0) -> Snapshot:
        if not self._info.continues_audio:
            return super().snapshot_after(samples, sample_rate, seed)
        return self._listen(samples, sample_rate, seed)

    def pack(self, snapshot: Snapshot) -> PackedState | None:
        """A snapshot in a form for files, sealed there; None where it does not come soon."""
        if not isinstance(snapshot, RemoteSnapshot) or snapshot.engine != self._info.name:
            raise SegueError("this moment belongs to another engine: choose that engine first.")
        if snapshot.number == NO_NUMBER or snapshot.session != self.line.session:
            return None
        try:
            _, body = self._ask("pack", count=snapshot.number, seconds=PACK_SECONDS)
        except SegueError as error:
            self.line.tell("warning", f"the place in the music was not kept for files: {error}")
            return None
        if not body:
            return None
        tree = json.dumps({"remote": self._info.name, "cleared": snapshot.cleared is not None})
        return PackedState(self._info.name, "sealed", tree, (np.frombuffer(body, np.uint8),))

    def unpack(self, packed: PackedState) -> Snapshot:
        if packed.engine != self._info.name or packed.weights != "sealed" or not packed.arrays:
            raise SegueError(
                f"that place in the music belongs to {packed.engine}: it cannot be taken up by "
                f"{self._info.name}."
            )
        content = packed.arrays[0].tobytes()
        answer, _ = self._ask("unpack", content, seconds=PACK_SECONDS)
        snapshot = self._kept(answer, 0)
        return snapshot.after_clear() if '"cleared": true' in packed.tree else snapshot

    def close(self) -> None:
        self.line.close()

    def _ask(
        self, what: str, content: bytes = b"", *, text: str = "", count: int = 0,
        seconds: float = ANSWER_SECONDS,
    ) -> tuple[Answer, bytes]:  # fmt: skip
        ask = Ask(self.line.number(), what, text, count=count, size=len(content))
        return self.line.request(ask, content, seconds)

    def _listen(self, samples: Samples, sample_rate: int, seed: int) -> RemoteSnapshot:
        described, content = self._audio(samples, sample_rate)
        answer, _ = self._ask("snapshot_after", content, text=described, count=seed)
        return self._kept(answer, seed)

    def _audio(self, samples: Samples, sample_rate: int) -> tuple[str, bytes]:
        """Audio for a request, in the format in which the line carries the music."""
        audio = check_prompt_audio(samples, sample_rate)
        wide = audio.shape[1] > 8 or float(np.abs(audio).max()) > 1.0
        return describe_audio(
            audio, sample_rate, "float32" if wide else self.line.width.audio_format
        )

    def _style(self, answer: Answer, body: bytes) -> Style:
        if len(body) != 4 * self._info.style_dim:
            raise SegueError(f"{self.line.address.place} gave no style: use the same Segue there.")
        return as_style(np.frombuffer(body, "<f4"))

    def _kept(self, answer: Answer, seed: int) -> RemoteSnapshot:
        if len(answer.values) != 2:
            raise SegueError(f"{self.line.address.place} kept nothing: use the same Segue there.")
        number, size = map(int, answer.values)
        return RemoteSnapshot(
            self._info.name, self.line.session, number, seed, size, self.line.released
        )
