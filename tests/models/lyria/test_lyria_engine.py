"""Lyria RealTime against a server of ours that speaks its protocol."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np
import pytest

from models.engine.controls import Controls, blend
from models.engine.interface import Audio, Stream
from models.errors import BlockPendingError, SegueError
from models.lyria import key, line, session
from models.lyria.engine import BLOCK_FRAMES, FALLBACK_PROMPT, LyriaEngine, TextStyles
from models.lyria.feed import FADE_FRAMES, SoundFeed
from models.registry import engine_summary
from tests.support.lyria import KEY, LyriaServer, lyria_service


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnects and rests in tenths of a second, and no key of the machine."""
    monkeypatch.setattr(line, "SOON", (0.02,))
    monkeypatch.setattr(line, "LATER", (0.02,))
    monkeypatch.setattr(line, "SETTLE_SECONDS", 0.15)
    monkeypatch.setattr(session, "SEND_SECONDS", 0.01)
    for name in key.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.fixture
def service() -> Iterator[LyriaServer]:
    with lyria_service() as server:
        yield server


@pytest.fixture
def engine(service: LyriaServer) -> Iterator[LyriaEngine]:
    engine = LyriaEngine(url=service.url, key=KEY)
    yield engine
    engine.close()


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def render(stream: Stream, controls: Controls, seconds: float = 10.0) -> Audio:
    """The next block, however long it takes."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return stream.render(controls)
        except BlockPendingError:
            assert time.monotonic() < deadline


def notices(engine: LyriaEngine, count: int = 1) -> list[tuple[str, str]]:
    """So many notices, as they come."""
    told: list[tuple[str, str]] = []

    def enough() -> bool:
        told.extend(engine.notices())
        return len(told) >= count

    until(enough)
    return told


def level(block: Audio) -> float:
    return float(block.mean())


def test_every_field_is_sent(service: LyriaServer, engine: LyriaEngine) -> None:
    """The server refuses a field that the published client has not, and values out of range."""
    style = blend(
        [engine.embed_text("minimal techno"), engine.embed_text("  Flute ")], [0.75, 0.25]
    )
    controls = Controls(
        style=style, bpm=128.4, key="A minor", density=0.3, brightness=0.8, guidance=7.0,
        chaos=0.5, mute=frozenset({"drums", "bass", "other"}), generation_mode="vocals",
    )  # fmt: skip
    block = render(engine.start(11), controls)
    assert block.shape == (BLOCK_FRAMES, 2)
    assert block.dtype == np.float32
    assert level(block) == pytest.approx(0.1, abs=1e-4)
    (begun,) = service.sessions
    assert begun.sent("clientContent")[0]["weightedPrompts"] == [
        {"text": "minimal techno", "weight": 0.75},
        {"text": "Flute", "weight": 0.25},
    ]
    assert begun.sent("musicGenerationConfig")[0] == {
        "seed": 11, "bpm": 128, "scale": "C_MAJOR_A_MINOR", "density": 0.3, "brightness": 0.8,
        "guidance": 6.0, "temperature": 1.5, "muteDrums": True, "muteBass": True,
        "onlyBassAndDrums": True, "musicGenerationMode": "VOCALIZATION",
    }  # fmt: skip
    kinds = [next(iter(message)) for message in begun.messages[:3]]
    assert kinds == ["clientContent", "musicGenerationConfig", "playbackControl"]
    assert begun.sent("playbackControl")[0] == "PLAY"


def test_what_it_cannot_do_is_not_offered(engine: LyriaEngine) -> None:
    info = engine.info
    assert info.parts == ()
    assert not info.rewinds
    assert not info.sends
    assert not info.continues_audio
    assert info.remote
    assert not info.controls & {"notes", "memory", "echo", "hold", "strength", "dream", "fill"}
    assert "key" in engine_summary("lyria-realtime")
    with pytest.raises(SegueError, match="in words"):
        engine.embed_audio(np.zeros((48_000, 2), np.float32), 48_000)


def test_a_change_is_sent_once_and_only_tempo_and_key_reset(
    service: LyriaServer, engine: LyriaEngine
) -> None:
    stream = engine.start()
    render(stream, Controls(bpm=100.0))
    (begun,) = service.sessions
    assert begun.sent("clientContent") == [
        {"weightedPrompts": [{"text": FALLBACK_PROMPT, "weight": 1.0}]}
    ]
    render(stream, Controls(bpm=100.0, density=0.9))
    until(lambda: len(begun.sent("musicGenerationConfig")) == 2)
    assert "RESET_CONTEXT" not in begun.sent("playbackControl")
    for bpm in (110.0, 120.0, 130.0):  # a knob on its way: only where it rests counts
        render(stream, Controls(bpm=bpm, density=0.9))
    until(lambda: "RESET_CONTEXT" in begun.sent("playbackControl"))
    tempos = [config["bpm"] for config in begun.sent("musicGenerationConfig")]
    assert tempos == [100, 100, 130]
    render(stream, Controls(bpm=130.0, key="D dorian", density=0.9))
    until(lambda: begun.sent("playbackControl").count("RESET_CONTEXT") == 2)
    assert begun.sent("musicGenerationConfig")[-1]["scale"] == "C_MAJOR_A_MINOR"
    stream.clear()
    render(stream, Controls(bpm=130.0, key="D dorian", density=0.9))
    until(lambda: begun.sent("playbackControl").count("RESET_CONTEXT") == 3)
    assert len(begun.sent("musicGenerationConfig")) == 4


def test_a_service_that_is_ahead_is_paused(service: LyriaServer, engine: LyriaEngine) -> None:
    stream = engine.start()
    render(stream, Controls())
    (begun,) = service.sessions
    until(lambda: "PAUSE" in begun.sent("playbackControl"))
    for _ in range(60):
        render(stream, Controls())
    until(lambda: begun.sent("playbackControl")[:3] == ["PLAY", "PAUSE", "PLAY"])


def test_a_filtered_prompt_is_told_once(service: LyriaServer, engine: LyriaEngine) -> None:
    service.filtered["a living artist"] = "names of artists."
    stream = engine.start()
    style = engine.embed_text("a living artist")
    other = blend([style, engine.embed_text("jazz")], [1.0, 1.0])
    render(stream, Controls(style=style))
    render(stream, Controls(style=other))
    until(lambda: len(service.sessions[0].sent("clientContent")) == 2)
    render(stream, Controls(style=other))
    assert notices(engine) == [
        (
            "warning",
            "lyria-realtime does not play the prompt 'a living artist' (names of artists): write "
            "it in other words; the other prompts go on.",
        )
    ]


def test_the_next_session_takes_over_before_one_ends(
    service: LyriaServer, engine: LyriaEngine
) -> None:
    """`goAway`: no gap, no jump; the old session ends, the new one has prompts and values."""
    stream, controls = engine.start(), Controls(style=engine.embed_text("jazz"), bpm=90.0)
    heard = [render(stream, controls)]
    service.say({"goAway": {"timeLeft": "10s"}})
    until(lambda: len(service.sessions) == 2)
    while level(heard[-1]) < 0.199:
        heard.append(render(stream, controls))
    sound = np.concatenate(heard)
    assert sound.min() > 0.099
    assert np.abs(np.diff(sound, axis=0)).max() < 1e-3
    until(lambda: service.sessions[0].closed)
    assert service.sessions[1].sent("clientContent") == service.sessions[0].sent("clientContent")
    assert service.sessions[1].sent("musicGenerationConfig")[0]["bpm"] == 90
    assert engine.notices() == ()


@pytest.mark.parametrize("how", ["end", "cut"])
def test_a_lost_session_comes_back(service: LyriaServer, engine: LyriaEngine, how: str) -> None:
    stream, controls = engine.start(), Controls(style=engine.embed_text("jazz"))
    render(stream, controls)
    if how == "end":
        service.close(1000, "")
    else:
        service.cut()
    until(lambda: len(service.sessions) == 2)
    block = render(stream, controls)
    while level(block) < 0.199:
        block = render(stream, controls)
    told = [sentence for _, sentence in engine.notices()]
    gone = "ended the session" if how == "end" else "the line to lyria-realtime is cut"
    assert gone in told[0]
    assert "begins a new piece" in told[1]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "forbidden"), "refuses the key"),
        ((429, "slow down"), "quota"),
        ((404, "nothing here"), "not offered"),
        ((503, "overloaded"), r"refuses the session \(503: overloaded"),
        ((1011, "You exceeded your current quota, please check your plan."), "quota"),
        ((1008, "models/x is not found for API version v1beta"), "not offered"),
        ((1007, "Request contains an invalid argument."), "1007: Request contains"),
    ],
)
def test_a_refusal_is_a_sentence(
    service: LyriaServer, refusal: tuple[int, str], words: str
) -> None:
    service.refuse = refusal
    with pytest.raises(SegueError, match=words):
        LyriaEngine(url=service.url, key=KEY)


def test_a_wrong_key_is_refused(service: LyriaServer) -> None:
    with pytest.raises(SegueError, match="refuses the key"):
        LyriaEngine(url=service.url, key="another")
    assert service.connects == 1


def test_a_quota_that_runs_out_while_it_plays(service: LyriaServer, engine: LyriaEngine) -> None:
    stream = engine.start()
    render(stream, Controls())
    service.refuse = (429, "quota")
    service.close(1011, "You exceeded your current quota.")
    told = notices(engine)
    connects = service.connects
    until(lambda: service.connects > connects + 1)
    assert [sentence for _, sentence in engine.notices()] == []  # told once
    assert "quota" in told[0][1]
    service.refuse = None
    until(lambda: len(service.sessions) == 2)
    assert "is back" in notices(engine)[0][1]


def test_nothing_answers() -> None:
    with lyria_service() as server:
        url = server.url
    with pytest.raises(SegueError, match="does not answer"):
        LyriaEngine(url=url, key=KEY)


def test_a_server_that_speaks_something_else(service: LyriaServer) -> None:
    with pytest.raises(SegueError, match="not offered"):
        LyriaEngine(url=service.url.replace("Music", "Content"), key=KEY)


def test_another_stream_is_another_session(service: LyriaServer, engine: LyriaEngine) -> None:
    render(engine.start(1), Controls())
    second = engine.start(2)
    block = render(second, Controls())
    while level(block) < 0.199:
        block = render(second, Controls())
    assert service.sessions[1].sent("musicGenerationConfig")[0]["seed"] == 2
    until(lambda: service.sessions[0].closed)


def test_blocks_come_again_after_a_restore(engine: LyriaEngine) -> None:
    stream = engine.start()
    render(stream, Controls())
    place = stream.snapshot()
    first = [render(stream, Controls()) for _ in range(3)]
    stream.restore(place)
    assert all(np.array_equal(block, render(stream, Controls())) for block in first)
    with pytest.raises(SegueError, match="another engine"):
        stream.restore(object())


def test_the_journey_is_measured(service: LyriaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PING_SECONDS", 0.05)
    engine = LyriaEngine(url=service.url, key=KEY)
    stream = engine.start()
    until(lambda: (render(stream, Controls()), engine.line_seconds)[1])
    assert engine.line_seconds is not None
    assert 0.0 < engine.line_seconds < 5.0
    engine.close()


def test_the_key_is_of_the_environment_or_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegueError, match="GOOGLE_API_KEY"):
        key.api_key()
    ring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    stored = {("segue", "lyria-realtime"): "of the ring"}
    ring.get_password = lambda *names: stored.get(names)  # type: ignore[attr-defined]
    errors.KeyringError = RuntimeError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    with pytest.raises(SegueError, match="copy it again"):
        key.api_key()
    stored["segue", "lyria-realtime"] = "of-the-ring"
    assert key.api_key() == "of-the-ring"
    monkeypatch.setenv("GEMINI_API_KEY", " of-gemini\n")
    assert key.api_key() == "of-gemini"
    monkeypatch.setenv("GOOGLE_API_KEY", "of-google")
    assert key.api_key() == "of-google"


def test_styles_hold_the_weights_of_texts() -> None:
    styles = TextStyles(2)
    mixed = blend([styles.style("a"), styles.style("b")], [1.0, 3.0])
    assert styles.prompts(mixed) == (("b", 0.75), ("a", 0.25))
    assert styles.prompts(blend([styles.style("a"), mixed], [1.0, 0.0])) == (("a", 1.0),)
    with pytest.raises(SegueError, match="2 different prompts"):
        styles.style("c")
    assert styles.prompts(None) == ((FALLBACK_PROMPT, 1.0),)
    with pytest.raises(SegueError, match="another engine"):
        styles.prompts(np.zeros(3, np.float32))


def test_the_feed_crossfades_into_a_newer_session() -> None:
    feed = SoundFeed()
    old, new = np.full((9600, 2), 0.25, np.float32), np.full((9600, 2), -0.25, np.float32)
    assert feed.put(1, old)
    assert feed.put(2, new)
    assert not feed.put(1, old)
    with pytest.raises(BlockPendingError):
        feed.take(2 * 9600, 0.0)
    sound = feed.take(2 * 9600 - 2 * FADE_FRAMES, 0.0)
    assert np.all(sound[: 9600 - FADE_FRAMES] == 0.25)
    assert np.all(sound[9600:] == -0.25)
    assert np.abs(np.diff(sound, axis=0)).max() < 1e-3
