"""Parameters of the instrument itself: prompts, map, controls, transport, keys, scenes, window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.parameters.parameter import Parameter
from models.engine.control_values import ARRIVALS, GENERATION_MODES, RANGES
from models.engine.sounds import MAX_AMOUNT
from models.music.score import MODE_NAMES, NOTE_NAMES, STEMS

PROMPTS: Final = 16
"""Maximum number of prompt strips; `prompt.1` is the leftmost."""
SCENES: Final = 16
KEYS: Final = tuple(
    f"{note} {mode.replace('_', ' ')}" for mode in MODE_NAMES for note in NOTE_NAMES
)
SCENE_MODES: Final = ("now", "bar", "morph")
VIEWS: Final = ("mixer", "map")


def prompt_parameters() -> Iterable[Parameter]:
    """Weight, mute, solo, amount and place of each prompt strip."""
    for n in range(1, PROMPTS + 1):
        group = f"Prompt {n}"
        yield Parameter(
            f"prompt.{n}.weight", f"Prompt {n} weight", high=2.0, default=1.0, group=group,
            help="How much this prompt counts in the mix, from none (0) to double (2).",
        )  # fmt: skip
        yield Parameter(
            f"prompt.{n}.mute", f"Prompt {n} mute", "switch", default=False, group=group,
            help="Take this prompt out of the mix; its weight stays as it is.",
        )  # fmt: skip
        yield Parameter(
            f"prompt.{n}.solo", f"Prompt {n} solo", "switch", default=False, group=group,
            help="Only prompts with solo count while any has it.",
        )  # fmt: skip
        yield Parameter(
            f"prompt.{n}.amount", f"Prompt {n} amount", high=MAX_AMOUNT, default=1.0, group=group,
            help="How much of a learned sound acts besides its style, from none (0) to more than "
            "was learned (1.5).",
        )  # fmt: skip
        for axis in ("x", "y"):
            yield Parameter(
                f"prompt.{n}.{axis}", f"Prompt {n} {axis} on the map", low=-1.0, default=0.0,
                group=group, help="Where this prompt lies on the map.",
            )  # fmt: skip


def map_parameters() -> Iterable[Parameter]:
    """The prompt map's cursor."""
    for axis, words in (("x", "left to right"), ("y", "bottom to top")):
        yield Parameter(
            f"map.{axis}", f"Map cursor {axis}", low=-1.0, default=0.0, group="Map",
            help=f"The cursor on the prompt map, {words}. Nearer prompts weigh more.",
        )  # fmt: skip
    yield Parameter(
        "map.reach", "Map reach", low=0.15, high=1.5, default=0.45, curve="logarithmic",
        group="Map", help="How far a prompt's influence reaches: small is one at a time.",
    )  # fmt: skip
    yield Parameter(
        "map.orbit", "Map orbit", "switch", default=False, group="Map",
        help="Let the cursor circle on its own. Throw it to set it off; click to stop.",
    )  # fmt: skip
    yield Parameter(
        "map.speed", "Map speed", low=0.02, high=2.0, default=0.25, curve="logarithmic",
        unit="turns/s", group="Map", help="How fast the cursor circles.",
    )  # fmt: skip


def control_parameters() -> Iterable[Parameter]:
    """What steers the engine."""
    group = "Controls"
    yield Parameter(
        "tempo", "Tempo", low=60.0, high=190.0, default=None, unit="bpm", step=1.0, fine=0.1,
        decimals=1, auto=True, group=group, help="Beats per minute.",
    )  # fmt: skip
    yield Parameter(
        "tempo.tap", "Tap tempo", "trigger", group=group,
        help="Tap the beat four times or more; the tempo follows.",
    )  # fmt: skip
    yield Parameter(
        "key", "Key", "choice", default=None, choices=KEYS, auto=True, group=group,
        help="Tonic and mode of the music.",
    )  # fmt: skip
    yield Parameter(
        "follow_prompts", "Follow prompts", "switch", default=False, group=group,
        help="Let tempo, metre and mode that are on auto change with the prompts. Otherwise they "
        "stay as they were chosen at the start.",
    )  # fmt: skip
    yield Parameter(
        "change_at", "Changes arrive", "choice", default=ARRIVALS[0], choices=ARRIVALS, group=group,
        help="When a changed tempo or key arrives: at once, or at the next bar.",
    )  # fmt: skip
    yield Parameter(
        "generation_mode", "Generation mode", "choice", default=GENERATION_MODES[0],
        choices=GENERATION_MODES, group=group,
        help="What prompts are led to: the engine's best music, more of its kinds, or voices.",
    )  # fmt: skip
    yield Parameter(
        "fill", "Fill", "trigger", group=group,
        help="Play a drum fill into the next bar.",
    )  # fmt: skip
    yield Parameter(
        "next_section", "Next section", "trigger", group=group,
        help="Go on to the next part of the form: a build, a theme, a break.",
    )  # fmt: skip
    for name, words in (
        (
            "energy",
            "How many parts play, and how busily: from bare to full. A large turn also "
            "moves the form: a build, a drop, a break.",
        ),
        ("density", "How many notes: from sparse to busy."),
        ("brightness", "How much treble: from dark to bright."),
        ("chaos", "How far the model departs from what is most likely: from steady to wild."),
    ):
        yield Parameter(
            name, name.capitalize(), default=None, auto=True, unit="%", group=group, help=words
        )
    low, high = RANGES["guidance"]
    yield Parameter(
        "guidance", "Guidance", low=low, high=high, default=None, auto=True, step=0.2, fine=0.05,
        decimals=1, group=group,
        help="How closely the music keeps to the prompts: from free to strict.",
    )  # fmt: skip
    for what, step, decimals, words in (
        ("notes", 0.2, 1, "How closely the music keeps to the keys held: from free to strict."),
        ("drums", 1.0, 0, "How closely the music keeps to the drums being out or in."),
    ):
        low, high = RANGES[f"guidance_{what}"]
        yield Parameter(
            f"guidance_{what}", f"{what.capitalize()[:-1]} guidance", low=low, high=high,
            default=None, auto=True, step=step, fine=step, decimals=decimals, group=group,
            help=words,
        )  # fmt: skip
    yield Parameter(
        "dream", "Dream", default=0.0, unit="%", group=group,
        help="From the instruments as they are to the sound that the style calls up: first a "
        "retouch, then further and further away. Above 0 other controls are heard up to 0.3 s "
        "later.",
    )  # fmt: skip
    for name, label, words in (
        ("electronic", "Acoustic – electronic", "from acoustic to electronic"),
        ("percussive", "Sustained – percussive", "from sustained to percussive"),
    ):
        yield Parameter(
            name, label, low=-1.0, default=0.0, unit="%", group=group,
            help=f"Moves the mix of the prompts {words}, to the terms there that are nearest to "
            "it. In the middle the prompts are as they are.",
        )  # fmt: skip
    yield Parameter(
        "strength", "Strength", default=1.0, unit="%", group=group,
        help="How firmly tempo, key, density and held keys decide where they are set: from advice "
        "that the model may leave aside to an order.",
    )  # fmt: skip
    for stem in STEMS:
        yield Parameter(
            f"stem.{stem}", stem.capitalize(), "switch", default=True, group="Stems",
            help=f"Whether the {stem if stem != 'other' else 'other instruments'} may play.",
        )  # fmt: skip


def transport_parameters() -> Iterable[Parameter]:
    """Play, hold, clear, panic and volume."""
    group = "Transport"
    yield Parameter(
        "transport.play", "Play", "switch", default=False, group=group,
        help="Play or pause. The music waits where it is.",
    )  # fmt: skip
    yield Parameter(
        "transport.hold", "Hold", "switch", default=False, group=group,
        help="Stay with what is sounding: the music does not drift on until you let go.",
    )  # fmt: skip
    yield Parameter(
        "transport.clear", "Clear", "trigger", group=group,
        help="Fade, forget what was played and start afresh with the same prompts.",
    )  # fmt: skip
    yield Parameter(
        "transport.panic", "Panic", "trigger", group=group,
        help="Silence at once, all notes off, a fresh context. Press play to go on.",
    )  # fmt: skip
    yield Parameter(
        "feedback.resend", "Resend feedback", "trigger", group=group,
        help="Send all LEDs, rings and motor faders of the controllers once more.",
    )  # fmt: skip
    yield Parameter(
        "mixer.master", "Volume", low=-60.0, high=0.0, default=-6.0, curve="taper", unit="dB",
        step=1.0, fine=0.1, decimals=1, group=group,
        help="Loudness of what you hear. Recordings do not depend on it.",
    )  # fmt: skip


def keys_parameters() -> Iterable[Parameter]:
    """How held keys act."""
    group = "Keys"
    yield Parameter(
        "keys.latch", "Latch", "switch", default=False, group=group,
        help="A chord that is played on a keyboard stays until the next one.",
    )  # fmt: skip
    yield Parameter(
        "keys.octave", "Octave", low=-4.0, high=4.0, default=0.0, unit="oct", step=1.0, fine=1.0,
        decimals=0, group=group, help="Moves what keyboards play up or down by octaves.",
    )  # fmt: skip
    yield Parameter(
        "keys.off", "All notes off", "trigger", group=group,
        help="Lets go of every key that is held, by hand, pedal or latch. Lit while any is.",
    )  # fmt: skip


def scene_parameters() -> Iterable[Parameter]:
    """Scene pads and how a scene comes."""
    for n in range(1, SCENES + 1):
        yield Parameter(
            f"scene.{n}.recall", f"Recall scene {n}", "trigger", group="Scenes",
            help="Bring back the prompts and controls of this scene.",
        )  # fmt: skip
        yield Parameter(
            f"scene.{n}.save", f"Save scene {n}", "trigger", group="Scenes",
            help="Keep the prompts and controls of now on this pad.",
        )  # fmt: skip
    yield Parameter(
        "scene.mode", "Scene change", "choice", default="now", choices=SCENE_MODES,
        group="Scenes", help="When a scene comes: at once, on the next bar, or as a slow morph.",
    )  # fmt: skip
    yield Parameter(
        "scene.morph_time", "Morph time", low=0.5, high=120.0, default=8.0, curve="logarithmic",
        unit="s", decimals=1, group="Scenes", help="How long a morph to a scene takes.",
    )  # fmt: skip
    yield Parameter(
        "scene.with_moment", "With the moment", "switch", default=False, group="Scenes",
        help="Save the place in the music too: recalling goes back to it.",
    )  # fmt: skip


def window_parameters() -> Iterable[Parameter]:
    """Recording, undo and views."""
    yield Parameter(
        "record", "Record", "switch", default=False, group="Recording",
        help="Record what you hear to a file, playable at any instant.",
    )  # fmt: skip
    yield Parameter(
        "capture.save", "Save capture", "trigger", group="Recording",
        help="Save what was played: the selection on the spectrogram, or the last 30 minutes.",
    )  # fmt: skip
    yield Parameter("edit.undo", "Undo", "trigger", group="Edit", help="Take back the last edit.")
    yield Parameter("edit.redo", "Redo", "trigger", group="Edit", help="Make the edit again.")
    yield Parameter(
        "view", "View", "choice", default="mixer", choices=VIEWS, group="View",
        help="Prompts as a mixer or as a map.",
    )  # fmt: skip
    yield Parameter(
        "stage", "Stage mode", "switch", default=False, group="View",
        help="Full screen, larger, locked against accidents; keeps the computer awake.",
    )  # fmt: skip
