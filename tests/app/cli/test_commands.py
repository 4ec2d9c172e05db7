"""The command line: right and wrong words, whole files or none, figures that are there."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.cli import main
from app.cli.arguments import parse
from app.cli.files import wav as wav_module
from app.cli.render import controls_of
from models.engine.controls import Controls
from models.registry import unregister_engine
from tests.support.tone_engine import register_tone_engine

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tone_engine: str) -> None:
    """Every command runs in an empty folder, with the engine `tone` (blocks of 0.1 s)."""
    monkeypatch.chdir(tmp_path)


def render(words: str) -> int:
    return main(["render", *shlex.split(words), "--engine", "tone"])


def left_behind() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "OUT.wav"),
        ("out.mp3", "does not end in .wav: name a WAV file"),
        ("no/such/out.wav", "there is no folder no/such: make it first"),
        ("folder.wav", "folder.wav is not a file"),
        ("out.wav --prompt ''", "the prompt is empty"),
        ("out.wav --prompt a=0 --prompt b=0", "all prompt weights are zero: raise at least one"),
        ("out.wav --prompt a=nan", "the weight of 'a' is nan"),
        ("out.wav --prompt none.wav", "there is no file none.wav"),
        ("out.wav --prompt text.wav", "text.wav cannot be read as audio"),
        ("out.wav --prompt one.wav", "one.wav: the audio prompt lasts 2.1e-05 s"),
        ("out.wav --bpm nan", "bpm is nan: give a finite number"),
        ("out.wav --bpm inf", "bpm is inf"),
        ("out.wav --bpm quick", "--bpm: invalid float value: 'quick'"),
        ("out.wav --density 2", "density is 2: give a number from 0 to 1"),
        ("out.wav --energy 1.5", "energy is 1.5: give a number from 0 to 1"),
        ("out.wav --change-at beat", "--change-at: invalid choice: 'beat'"),
        ("out.wav --key Q", "'Q' is not a key"),
        ("out.wav --mute harp", "there is no stem 'harp'"),
        ("out.wav --part lead", "'lead' is no part's control"),
        ("out.wav --part lead.level=loud", "'loud' is no number"),
        ("out.wav --part harp.mute", "there is no part 'harp'"),
        ("out.wav --part lead.volume=1", "a part has no 'volume'"),
        ("out.wav --part lead.octave=9", "octave of lead is 9"),
        ("out.wav --part lead.instrument=tuba", "'tuba' cannot play the lead"),
        ("out.wav --notes c4", "'c4' are no notes"),
        ("out.wav --notes 60,400", "400 is not a note"),
        ("out.wav --strength bpm", "'bpm' is no strength"),
        ("out.wav --seed -3", "--seed is -3"),
        ("out.wav --seconds 0", "--seconds is 0"),
        ("out.wav --seconds nan", "--seconds is nan"),
        ("out.wav --seconds 1e9", "--seconds is 1e+09"),
        ("out.wav --device abacus", "there is no device 'abacus'"),
        ("out.wav --performance none.jsonl", "there is no performance none.jsonl"),
        ("out.wav --performance text.wav", "text.wav, line 1: this is not JSON"),
        ("out.wav --midi out.txt", "out.txt does not end in .mid"),
        ("out.wav --midi no/out.mid", "there is no folder no"),
        ("out.wav --stems text.wav", "text.wav is not a folder"),
        ("out.wav --stems no/stems", "there is no folder no"),
        ("out.wav --stems stems --seconds 1", "tone has no stems: leave --stems out"),
        ("out.wav --loudness 3", "unrecognized arguments: --loudness 3"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder.wav").mkdir()
    Path("text.wav").write_text("this is not sound")
    soundfile.write("one.wav", np.ones((1, 2)), 48_000)
    before = left_behind()
    assert render(words) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("segue: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert left_behind() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "render out.wav --engine moog",
            "there is no engine 'moog': choose from segue, segue-diffusion, ",
        ),
        ("bench --engine moog", "there is no engine 'moog'"),
        ("--engine tone bench --seconds -1", "--seconds is -1"),
        ("soak --minutes nan", "--minutes is nan"),
        ("models verify moog", "there is no engine 'moog'"),
        ("models fetch", "NAME"),
        ("dance", "invalid choice: 'dance'"),
    ],
)
def test_wrong_commands_are_one_line(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(words)) == 2
    error = capsys.readouterr().err
    assert error.startswith("segue: ")
    assert error.count("\n") == 1
    assert sentence in error


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("locked").mkdir(mode=0o500)
    assert render("locked/out.wav") == 2
    assert "cannot be written (Permission denied)" in capsys.readouterr().err


@pytest.mark.parametrize(("sample_format", "subtype"), [("24", "PCM_24"), ("float", "FLOAT")])
def test_render_writes_48_khz_stereo_to_the_sample(
    sample_format: str, subtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"out.wav --seconds 0.777 --prompt techno --prompt flute=0.5 --format {sample_format}"
    assert render(words) == 0
    file = soundfile.info("out.wav")
    assert (file.samplerate, file.channels, file.subtype) == (48_000, 2, subtype)
    assert file.frames == round(0.777 * 48_000)
    assert left_behind() == ["out.wav"]
    assert "out.wav: 0.777 s of music in" in capsys.readouterr().out
    samples, _ = soundfile.read("out.wav")
    assert 0.05 < np.abs(samples).max() < 1.0


def test_the_same_seed_and_words_give_the_same_file() -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert render(f"{name}.wav --seconds 0.3 --seed {seed} --prompt techno") == 0
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()
    assert Path("a.wav").read_bytes() != Path("c.wav").read_bytes()


def test_an_audio_prompt_steers(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (48_000, 2))
    soundfile.write("prompt.flac", noise, 48_000)
    assert render("with.wav --seconds 0.2 --prompt prompt.flac") == 0
    assert render("without.wav --seconds 0.2") == 0
    assert Path("with.wav").read_bytes() != Path("without.wav").read_bytes()


def test_a_file_gets_the_rights_of_any_new_file() -> None:
    assert render("out.wav --seconds 0.1") == 0
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(Path("out.wav").stat().st_mode) == 0o666 & ~mask


def test_a_link_is_written_through_and_stays() -> None:
    Path("real").mkdir()
    Path("out.wav").symlink_to("real/target.wav")
    assert render("out.wav --seconds 0.1") == 0
    assert Path("out.wav").is_symlink()
    assert soundfile.info("real/target.wav").frames == 4800


def test_a_performance_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"t": 0, "engine": "tone", "seed": 5, "mute": ["drums"], "notes": [69]},
        {"t": 0.5, "notes": [81]},
        {"t": 1.0, "end": True},
    ]
    Path("p.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert main(["render", "out.wav", "--performance", "p.jsonl"]) == 0
    samples, rate = soundfile.read("out.wav")
    assert len(samples) == rate
    for half, hertz in ((samples[:24_000, 0], 440), (samples[24_000:, 0], 880)):
        assert np.abs(np.fft.rfft(half)).argmax() * 2 == hertz


@pytest.mark.parametrize("here", ["1a" * 32, "9f" * 32, None])
def test_a_performance_of_other_weights_is_played_and_says_so(
    here: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"t": 0, "engine": "weighty", "seed": 5, "weights": "1a" * 32}
    Path("p.jsonl").write_text("\n".join(map(json.dumps, (first, {"t": 0.2, "end": True}))))
    register_tone_engine("weighty", weights=here)
    try:
        assert main(["render", "out.wav", "--performance", "p.jsonl"]) == 0
    finally:
        unregister_engine("weighty")
    told = "recorded with other weights of weighty (1a1a1a1a) than are here (9f9f9f9f)"
    assert (told in capsys.readouterr().err) == (here == "9f" * 32)
    assert soundfile.info("out.wav").frames == 9600


def test_a_performance_goes_back_to_a_moment() -> None:
    lines = [{"t": 0, "seed": 1}, {"t": 0.4, "moment": 0.1}, {"t": 0.7, "end": True}]
    Path("p.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    assert render("out.wav --performance p.jsonl") == 0
    blocks = soundfile.read("out.wav")[0].reshape(7, 4800, 2)
    assert np.array_equal(blocks[4:7], blocks[1:4])
    assert not np.array_equal(blocks[4], blocks[0])


def test_a_control_that_the_engine_lacks_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    register_tone_engine("plain", controls=frozenset({"style"}))
    try:
        assert main(shlex.split("render o.wav --engine plain --seconds 0.1 --bpm 99")) == 0
    finally:
        unregister_engine("plain")
    assert capsys.readouterr().err == "segue: plain has no bpm; left out.\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Controls()),
        ("--energy 0.8", Controls(energy=0.8)),
        ("--follow-prompts --change-at bar", Controls(follow_prompts=True, change_at="bar")),
        ("--change-at now", Controls()),
        ("--temperature 1.1 --top-k 50", Controls(temperature=1.1, top_k=50)),
        ("--note-width 127 --note-onsets strike --notes 60",
         Controls(note_width=127, note_onsets="strike", notes=(60,))),
        ("--preset runtime --guidance_notes 2", Controls(
            temperature=1.0, top_k=100, guidance=3.0, guidance_notes=2.0, guidance_drums=1.0)),
    ],
)  # fmt: skip
def test_the_form_by_words(words: str, expected: Controls) -> None:
    assert controls_of(parse(shlex.split(f"render o.wav {words}"))) == expected


@pytest.mark.parametrize("earlier", [None, b"an older file"])
@pytest.mark.parametrize("fault", ["nan", "raise", "stop", "disk"])
def test_a_failed_render_leaves_what_was_there(
    fault: str,
    earlier: bytes | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if earlier is not None:
        Path("out.wav").write_bytes(earlier)
    before = left_behind()
    command = ["render", "out.wav", "--engine", "bad", "--seconds", "1"]
    if fault in ("nan", "raise"):
        register_tone_engine("bad", block_seconds=0.1, faults={3: fault})
    else:
        register_tone_engine("bad", block_seconds=0.1)
        problem = KeyboardInterrupt() if fault == "stop" else AssertionError()
        written = []

        def write(writer: object, block: np.ndarray) -> None:
            written.append(block)
            if len(written) == 3:
                raise problem

        if fault == "stop":
            monkeypatch.setattr(wav_module.WavWriter, "write", write)
        else:
            monkeypatch.setattr(soundfile.SoundFile, "write", write)
    try:
        if fault == "raise":
            with pytest.raises(RuntimeError, match="told to fail"):
                main(command)
        else:
            code = main(command)
            sentence = capsys.readouterr().err
            expected = {
                "nan": (2, "not finite at 0.3 s"),
                "stop": (130, "stopped"),
                "disk": (2, "the disk takes no more"),
            }[fault]
            assert code == expected[0]
            assert expected[1] in sentence
    finally:
        unregister_engine("bad")
    assert left_behind() == before
    if earlier is not None:
        assert Path("out.wav").read_bytes() == earlier


SLOW = """
import signal, sys
# A shell's background jobs have the keyboard's interrupt ignored, and so has what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {root!r})
from app.cli import main
from tests.support.tone_engine import register_tone_engine
register_tone_engine("slow", render_seconds=0.05)
sys.exit(main(["render", "out.wav", "--engine", "slow", "--seconds", "600"]))
"""


def begun() -> bool:
    """Whether a half-written file holds something; the one that tries the folder goes at once."""
    for path in Path().glob(".out-*"):
        with suppress(FileNotFoundError):
            if path.stat().st_size:
                return True
    return False


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_process_leaves_nothing_behind(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW.format(root=str(ROOT))], stderr=subprocess.PIPE, text=True
    )
    give_up = time.monotonic() + 30
    try:
        while not begun():
            assert time.monotonic() < give_up
            time.sleep(0.02)
    finally:
        process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error == "segue: stopped; no half-written file was left.\n"
    assert left_behind() == []


def test_bench_prints_the_figures_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    register_tone_engine("timed", block_seconds=0.1, render_seconds=0.01)
    try:
        assert main(shlex.split("bench --engine timed --seconds 2 --json")) == 0
    finally:
        unregister_engine("timed")
    figures = json.loads(capsys.readouterr().out)
    assert figures["engine"] == "timed"
    assert figures["device"] == "cpu"
    assert figures["block_seconds"] == 0.1
    assert figures["blocks"] == 20
    times = figures["block_ms"]
    assert 10 <= times["p50"] <= times["p95"] <= times["p99"] <= times["max"]
    assert 0 < figures["real_time_factor"] <= 10
    assert figures["first_block_ms"] >= 10
    assert figures["load_seconds"] >= 0
    assert 10 < figures["peak_rss_mb"] < 50_000


def test_bench_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split("bench --engine tone --seconds 0.5")) == 0
    assert "times real time" in capsys.readouterr().out


def test_models_lists_every_engine(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.remote.client.known.data_folder", lambda: tmp_path)
    for words in ("models", "models list"):
        assert main(shlex.split(words)) == 0
        lines = capsys.readouterr().out.splitlines()
        names = [line.split()[0] for line in lines]
        magenta = ["magenta-rt2-small", "magenta-rt2-base"]
        assert names == ["segue", "segue-diffusion", *magenta, "lyria-realtime", "tone"]
        assert "needs no weights" in lines[-1]


def test_models_verifies_and_has_nothing_to_fetch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "segue"]) == 0
    assert "whole" in capsys.readouterr().out
    assert main(["models", "fetch", "segue"]) == 0
    assert "nothing to fetch" in capsys.readouterr().out


def test_help_is_there_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("", "render", "bench", "soak", "devices", "models", "models verify"):
        with pytest.raises(SystemExit) as stopped:
            main([*words.split(), "--help"])
        assert stopped.value.code == 0
        assert "usage: main.py" in capsys.readouterr().out


def test_a_long_piece_is_written_in_a_form_that_can_hold_it(tmp_path: Path) -> None:
    """Over 4 GiB a plain WAV's length does not fit; only the header is looked at here."""
    hours = 5 * 3600 * 48_000
    with wav_module.WavWriter(tmp_path / "a.wav", 48_000, 2, "24", hours) as wav:
        wav.write(np.zeros((480, 2), np.float32))
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert soundfile.read(tmp_path / "a.wav")[0].shape == (480, 2)


def test_a_file_is_continued_by_an_engine_that_can(capsys: pytest.CaptureFixture[str]) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(48_000) / 48_000)
    soundfile.write("end.wav", np.stack([tone, tone], axis=1), 48_000)
    assert render("out.wav --seconds 1 --continue-from end.wav") == 2
    assert "tone cannot go on from audio" in capsys.readouterr().err
    assert left_behind() == ["end.wav"]
    register_tone_engine("hears", continues_audio=True)
    try:
        words = ["--seconds", "1", "--continue-from"]
        assert main(["render", "out.wav", *words, "none.wav", "--engine", "hears"]) == 2
        assert "there is no file none.wav" in capsys.readouterr().err
        assert main(["render", "out.wav", *words, "end.wav", "--engine", "hears"]) == 0
        assert main(["render", "plain.wav", "--seconds", "1", "--engine", "hears"]) == 0
        Path("p.jsonl").write_text('{"t": 0, "continue_from": "end.wav"}', encoding="utf-8")
        played = ["--seconds", "1", "--performance", "p.jsonl", "--engine", "hears"]
        assert main(["render", "again.wav", *played]) == 0
    finally:
        unregister_engine("hears")
    assert Path("out.wav").read_bytes() == Path("again.wav").read_bytes()
    assert Path("out.wav").read_bytes() != Path("plain.wav").read_bytes()
