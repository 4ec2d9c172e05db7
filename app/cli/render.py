"""`python main.py render`: prompts and controls, or a performance, to a WAV file."""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.cli.files.arrangements import with_arrangements
from app.cli.files.input_file import FileInput
from app.cli.files.take_writer import check_take, take_writer
from app.cli.files.user_instruments import instrument_of, load_instruments
from app.cli.rendering import render_wav
from app.files import check_target
from app.performance.file import Performance, PerformanceChange, read_performance
from app.performance.player import PerformancePlayer
from app.session.style_send import parse_sends
from models.engine.control_values import RANGES, SEND_RANGES
from models.engine.controls import CONTROL_NAMES, Controls
from models.engine.interface import Engine
from models.engine.parts import PartMap, check_parts
from models.engine.prompts import Prompt, PromptEmbedder, check_weights, load_ending, parse_prompt
from models.engine.sounds import sound_scales
from models.errors import SegueError
from models.magenta_rt2.presets import PRESETS
from models.registry import open_engine

MAX_SECONDS = 24 * 3600.0
AFTER_LAST_CHANGE = 10.0
"""Seconds after the last change of a performance without an end."""


def render(chosen: Namespace) -> int:
    """Write `chosen.out`. Everything is checked before the engine is opened."""
    if chosen.out.suffix.lower() != ".wav":
        raise SegueError(f"{chosen.out} does not end in .wav: name a WAV file to write.")
    controls = with_arrangements(controls_of(chosen), chosen.arrangement)
    prompts = [parse_prompt(argument) for argument in chosen.prompt]
    check_weights(prompts)
    played = None if chosen.performance is None else read_performance(chosen.performance)
    if chosen.continue_from is not None:
        load_ending(chosen.continue_from)
    seconds = check_seconds(chosen.seconds if chosen.seconds is not None else length_of(played))
    name = getattr(chosen, "engine", None) or (played and played.engine) or "segue"
    seed = seed_of(chosen.seed, played)
    check_target(chosen.out)
    heard = input_of(chosen, played is not None)
    check_take(chosen.stems, chosen.midi)
    engine = open_engine(name, getattr(chosen, "device", "auto"))
    try:
        player = make_player(engine, prompts, controls, played, chosen.continue_from)
        if heard is not None:
            heard.check(engine)
        _warn_missing(engine, controls, prompts)
        load_instruments(controls, played, engine.info)
        if played is not None:
            _warn_other_weights(engine, played)
        with take_writer(engine.info, seconds, chosen.stems, chosen.midi, chosen.format) as take:
            took = render_wav(
                engine,
                player,
                seed,
                seconds,
                chosen.out,
                chosen.format,
                on_render=take.add,
                steer=None if heard is None else heard.steer,
            )
    finally:
        engine.close()
    print(f"{chosen.out}: {seconds:g} s of music in {took:.1f} s, {seconds / took:.1f}x real time")
    return 0


def input_of(chosen: Namespace, steered: bool = False) -> FileInput | None:
    """Input from a file, with its sends; None where there is none. steered: a performance may hold
    a send.
    """
    sends = parse_sends(chosen.send)
    if chosen.input is None:
        if sends:
            raise SegueError("--send needs an input: name an audio file with --input.")
        return None
    if not sends and not steered:
        raise SegueError("--input does nothing by itself: add a send such as --send style=0.6.")
    return FileInput(chosen.input, sends)


def make_player(
    engine: Engine,
    prompts: Sequence[Prompt],
    controls: Controls,
    played: Performance | None,
    continue_from: Path | None = None,
) -> PerformancePlayer:
    """Player of the controls and prompts, and of the performance, if any.

    continue_from: the audio file from whose end it goes on.
    """
    style = PromptEmbedder(engine).mix(prompts)
    base = controls.with_(style=style, sounds=sound_scales(prompts))
    performance = played if played is not None else Performance((PerformanceChange(0.0),))
    if continue_from is not None:
        first = PerformanceChange(0.0, continue_from=str(continue_from.absolute()))
        performance = replace(performance, changes=(first, *performance.changes))
    book = PromptEmbedder(engine, performance.folder)
    return PerformancePlayer(performance, book.mix, engine.info.block_seconds, base)


def controls_of(chosen: Namespace) -> Controls:
    """Controls of the command line. SegueError for wrong ones."""
    mute = [stem.strip() for names in chosen.mute for stem in names.split(",")]
    numbers = {name: getattr(chosen, name) for name in RANGES if name not in SEND_RANGES}
    if chosen.preset is not None:
        given = {name: value for name, value in numbers.items() if value is not None}
        numbers = {**numbers, **PRESETS[chosen.preset].values, **given}
    return Controls(
        **numbers,
        note_onsets=chosen.note_onsets,
        echo_time=chosen.echo_time,
        echo_feedback=chosen.echo_feedback,
        echo_dream=chosen.echo_dream,
        memory_mode=chosen.memory_mode,
        loop_bars=chosen.loop_bars,
        key=chosen.key,
        mute=frozenset(mute),
        notes=_notes(chosen.notes),
        drums=None if chosen.drums is None else chosen.drums == "on",
        follow_prompts=chosen.follow_prompts,
        change_at=chosen.change_at,
        generation_mode=chosen.generation_mode,
        parts=parts_of(chosen.part),
        strength=_strength(chosen.strength),
    )


def parts_of(arguments: Sequence[str]) -> PartMap:
    """Controls of parts from arguments such as lead.level=-6 and bass.mute."""
    parts: dict[str, dict[str, object]] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        part, dot, control = (word.strip() for word in name.partition("."))
        if not dot:
            raise SegueError(f"'{argument}' is no part's control: write one such as lead.level=-6.")
        value: object = text.strip() if equals else True
        if control in ("level", "octave") and equals:
            number = _number(text)
            value = int(number) if control == "octave" and number.is_integer() else number
        elif control == "instrument" and equals:
            value = instrument_of(part, text.strip())
        elif text.strip() in ("on", "off"):
            value = text.strip() == "on"
        parts.setdefault(part, {})[control] = value
    return check_parts(parts)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SegueError(f"'{text}' is no number: write one such as -6.") from None


def _notes(argument: str | None) -> tuple[int, ...]:
    if argument is None:
        return ()
    try:
        return tuple(int(note) for note in argument.split(","))
    except ValueError:
        raise SegueError(
            f"'{argument}' are no notes: give MIDI numbers such as 57,60,64."
        ) from None


def _strength(arguments: Sequence[str]) -> dict[str, float]:
    strengths = {}
    for argument in arguments:
        name, _, number = argument.partition("=")
        try:
            strengths[name.strip()] = float(number)
        except ValueError:
            raise SegueError(f"'{argument}' is no strength: write one such as bpm=0.5.") from None
    return strengths


def check_seconds(seconds: float) -> float:
    """The length, if it can be rendered, else SegueError."""
    if not math.isfinite(seconds) or not 0.001 <= seconds <= MAX_SECONDS:
        raise SegueError(f"--seconds is {seconds:g}: give a length from 0.001 to {MAX_SECONDS:g}.")
    return seconds


def length_of(played: Performance | None) -> float:
    """Seconds to render by default."""
    if played is None:
        return 30.0
    return played.end or played.changes[-1].t + AFTER_LAST_CHANGE


def seed_of(seed: int | None, played: Performance | None) -> int:
    """The given seed, or the performance's, or 0."""
    if seed is None:
        return (played.seed if played is not None else None) or 0
    if not 0 <= seed < 2**63:
        raise SegueError(f"--seed is {seed}: give a whole number of 0 or more.")
    return seed


def _warn_other_weights(engine: Engine, played: Performance) -> None:
    """Print that a performance was recorded with other weights than the engine has."""
    warning = played.weights_warning(engine.info.name, engine.weights_identity)
    if warning is not None:
        print(f"segue: {warning}", file=sys.stderr)


def _warn_missing(engine: Engine, controls: Controls, prompts: Sequence[Prompt]) -> None:
    """Print which of the given controls this engine lacks."""
    given = [name for name in CONTROL_NAMES if name != "style" and controls.strength_of(name)]
    if prompts:
        given.append("style")
    if controls.strength:
        given.append("strength")
    missing = [name for name in given if name not in engine.info.controls]
    if missing:
        print(f"segue: {engine.info.name} has no {', '.join(missing)}; left out.", file=sys.stderr)
