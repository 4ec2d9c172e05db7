"""Arguments of the command line. Imports nothing heavy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.cli.learned.arguments import add_sounds, add_teach
from app.cli.parser import Commands, Parser, call_later
from models.command import PROGRAM_NAME
from models.engine.control_values import (
    ARRIVALS,
    GENERATION_MODES,
    MEMORY_MODES,
    NOTE_ONSETS,
    RANGES,
)
from models.errors import SegueError
from models.magenta_rt2.presets import PRESETS
from models.music.score import PARTS, STEMS
from models.registry import DEVICES

EPILOG = """\
examples:
  python main.py                                      the instrument
  python main.py render night.wav --seconds 60 --prompt "minimal techno" --prompt "flute=0.5"
  python main.py render calm.wav --prompt "solo piano" --key "A minor" --bpm 70
  python main.py render again.wav --performance performance.jsonl
  python main.py bench --json
"""


PROGRAM: Final = "segue" if getattr(sys, "frozen", False) else "main.py"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Chosen command and its options; `command` is the function to call with them."""
    return make_parser().parse_args(list(arguments))


def make_parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="Segue plays an endless stream of generated music that you steer as it plays. "
        "Without a command it opens the instrument; the name of a file opens that session in it.",
        epilog=EPILOG.replace("python main.py", PROGRAM_NAME),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_engine(parser)
    # Handled by app.cli.flags before anything is parsed; here for --help.
    parser.add_argument("--version", action="store_true", help="print the versions of everything")
    parser.add_argument("--selftest", action="store_true", help="test every part; sends no sound")
    parser.set_defaults(command=_instrument)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    _render(commands)
    _bench(commands)
    _soak(commands)
    _devices(commands)
    _models(commands)
    add_teach(commands)
    _serve(commands)
    _rtap(commands)
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS, or a subcommand's default would undo what stood before the command.
    parser.add_argument(
        "--engine",
        default=argparse.SUPPRESS,
        metavar="NAME",
        help="which engine plays (see: models); segue by default. remote://HOST:PORT/NAME is one "
        "on another machine (see: serve)",
    )
    parser.add_argument(
        "--device",
        default=argparse.SUPPRESS,
        metavar="D",
        help=f"where it computes: {', '.join(DEVICES)}",
    )


def _render(commands: Commands) -> None:
    parser = commands.add_parser(
        "render",
        help="write music to a WAV file",
        description="Write music to a 48 kHz stereo WAV file, faster than it plays.",
    )
    parser.add_argument("out", type=Path, metavar="OUT.wav", help="the file to write")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="how long; 30, or the performance's own length"
    )
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT[=W]",
        help="what to play, with a weight (1 by default); may be given many times. "
        "The name of an audio file makes an audio prompt, sound:NAME[@AMOUNT] a learned sound",
    )
    parser.add_argument(
        "--performance", type=Path, metavar="FILE.jsonl", help="play what was steered before"
    )
    parser.add_argument(
        "--continue-from",
        type=Path,
        metavar="FILE",
        help="go on from the end of an audio file, in its tempo and key",
    )
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="an audio file, as if it were played in live"
    )
    parser.add_argument(
        "--send",
        action="append",
        default=[],
        metavar="NAME=X",
        help="what the input does, 0 to 1: style=0.6, a prompt of its last 10 s; memory=0.6, a "
        "past that the music goes on from; follow=1, the band accompanies it; echo=0.7, it comes "
        "back made anew",
    )
    parser.add_argument(
        "--memory-mode",
        choices=MEMORY_MODES,
        default=MEMORY_MODES[0],
        help="what is remembered: where it was played, or the loop before the present bar",
    )
    for name, meaning in (
        ("time", "beats after which the echo comes back, 0 (the shortest) to 16; 4 by default"),
        ("feedback", "share of it that comes back again, 0 to 0.95"),
        ("dream", "0: a plain delay; 1: the style's own sound"),
    ):
        parser.add_argument(
            f"--echo-{name}", dest=f"echo_{name}", type=float, metavar="X", help=meaning
        )
    parser.add_argument(
        "--loop-bars", type=int, default=4, metavar="N", help="bars of the looper's loop, 1 to 16"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="another number, other music; 0 by default"
    )
    parser.add_argument(
        "--format", choices=("24", "float"), default="24", help="24-bit or 32-bit float samples"
    )
    parser.add_argument(
        "--stems",
        type=Path,
        metavar="DIR",
        help="a folder for a WAV file of each part as well: before the master they sum to the mix",
    )
    parser.add_argument(
        "--midi", type=Path, metavar="OUT.mid", help="the notes as a MIDI file as well"
    )
    _add_engine(parser)
    controls = parser.add_argument_group(
        "controls", "a control that is not given is the engine's own choice"
    )
    words = {
        "bpm": "beats per minute",
        "density": "sparse to busy",
        "brightness": "dark to bright",
        "guidance": "how closely the prompts are followed",
        "guidance_notes": "how closely the keys held are followed",
        "guidance_drums": "how closely drums on or off is followed",
        "chaos": "how far it departs from what is most likely",
        "temperature": "of sampling; by chaos if it is not given",
        "top_k": "codes among which one is drawn; by chaos if it is not given",
        "note_width": "semitones around each held key in which nothing else sounds, 127: all",
        "energy": "how many parts play, and how busily",
        "dream": "from the instruments as they are to the style's own sound",
        "electronic": "the prompts moved from acoustic to electronic",
        "percussive": "the prompts moved from sustained to percussive",
    }
    for name in words:
        low, high = RANGES[name]
        controls.add_argument(
            *_spellings(name), type=float, metavar="X", help=f"{words[name]}, {low:g} to {high:g}"
        )
    controls.add_argument("--key", metavar="KEY", help="such as 'A minor' or 'F# dorian'")
    controls.add_argument(
        "--mute",
        action="append",
        default=[],
        metavar="STEM",
        help=f"a stem that must not sound: {', '.join(STEMS)}; may be given many times",
    )
    controls.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="PART.NAME[=X]",
        help=f"one part ({', '.join(PARTS)}): lead.level=-6 (dB), bass.mute, drums.solo, "
        "bass.lock, drums.dry (does not dream), lead.instrument=flute, lead.octave=1; an "
        "instrument may be a file: a sample, a folder of them, "
        "an SFZ, an SF2 (piano.sf2#0.4: bank, program); may be given many times",
    )
    controls.add_argument(
        "--arrangement",
        action="append",
        default=[],
        metavar="FILE.mid[=ROLE]",
        help="a MIDI file: all of it, or as the score of one part (lead), the harmony, or an "
        "example from which the music goes on; with its tempo and key where those are not given",
    )
    controls.add_argument(
        "--notes", metavar="N,N", help="keys held, as MIDI numbers, such as 57,60,64"
    )
    controls.add_argument(
        "--note-onsets",
        choices=NOTE_ONSETS,
        default=NOTE_ONSETS[0],
        help="a held key sounds as the engine likes, or once when it is struck",
    )
    controls.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="temperature, top_k and guidance as a front end of Magenta RealTime begins with them: "
        + ", ".join(f"{name} ({preset.help})" for name, preset in PRESETS.items()),
    )
    controls.add_argument("--drums", choices=("on", "off"), help="drums, or none")
    controls.add_argument(
        "--follow-prompts",
        action="store_true",
        help="tempo, metre and mode change with the prompts instead of staying",
    )
    controls.add_argument(
        "--change-at",
        choices=ARRIVALS,
        default=ARRIVALS[0],
        help="when a changed tempo or key arrives: at once, or at the next bar",
    )
    controls.add_argument(
        "--generation-mode",
        choices=GENERATION_MODES,
        default=GENERATION_MODES[0],
        help="what lyria-realtime leads prompts to",
    )
    controls.add_argument(
        "--strength",
        action="append",
        default=[],
        metavar="CONTROL=X",
        help="how much a control decides, 0 to 1, such as bpm=0.5",
    )
    parser.set_defaults(command=call_later("app.cli.render", "render"))


def _spellings(name: str) -> tuple[str, ...]:
    """The option of a control, with a hyphen too where its name has an underscore."""
    return tuple(dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}")))


def _bench(commands: Commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure how fast an engine plays here",
        description="Measure how fast an engine plays on this machine.",
    )
    _add_engine(parser)
    parser.add_argument(
        "--seconds", type=float, default=20.0, metavar="S", help="of music to measure"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(command=call_later("app.cli.bench", "bench"))


def _soak(commands: Commands) -> None:
    parser = commands.add_parser(
        "soak",
        help="play through the audio device and count what goes wrong",
        description="Play through the real audio device, without a window. The exit code is 1 if "
        "the sound broke off even once.",
    )
    _add_engine(parser)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="how long")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(command=call_later("app.cli.soak", "soak"))


def _devices(commands: Commands) -> None:
    parser = commands.add_parser(
        "devices",
        help="list audio and MIDI ports",
        description="List audio and MIDI ports as Segue sees them.",
    )
    parser.set_defaults(command=call_later("app.cli.devices", "devices"))


def _models(commands: Commands) -> None:
    parser = commands.add_parser(
        "models",
        help="list engines, fetch or verify their weights",
        description="List engines, fetch or verify their weights.",
    )
    parser.set_defaults(command=call_later("app.cli.models", "list_engines"))
    actions = parser.add_subparsers(metavar="ACTION", parser_class=Parser)
    listing = actions.add_parser("list", help="engines, and whether their weights are here")
    listing.set_defaults(command=call_later("app.cli.models", "list_engines"))
    finding = actions.add_parser("find", help="servers that are announced on the network")
    finding.set_defaults(command=call_later("app.cli.models", "find"))
    for name, text in (
        ("fetch", "fetch an engine's weights once"),
        ("verify", "compare an engine's weights with their checksums"),
        ("forget", "forget a server, its certificate and its token"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("name", metavar="NAME", help="the engine")
        if name == "fetch":
            action.add_argument(
                "--from",
                dest="folder",
                metavar="FOLDER",
                help="take the files from a folder instead of the network",
            )
            action.add_argument(
                "--revision",
                metavar="R",
                help="another commit, branch or tag of the published files than the one that Segue "
                "knows by size and checksum",
            )
            action.add_argument(
                "--accept", action="store_true", help="accept the terms of the weights unasked"
            )
        action.set_defaults(command=call_later("app.cli.models", name))
    add_sounds(actions)


def _serve(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve",
        help="play for a Segue elsewhere",
        description="Play for a Segue elsewhere, which names this one by its address: "
        "--engine remote://HOST:PORT/NAME. Without --host it listens on this machine only; on any "
        "other interface it asks for a token, and encrypts.",
    )
    _add_engine(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="interface, such as 0.0.0.0 for all"
    )
    parser.add_argument("--port", type=int, metavar="N", help="7177 by default")
    parser.add_argument(
        "--announce", action="store_true", help="let `models find` find it on the network"
    )
    parser.add_argument(
        "--sessions", type=int, default=4, metavar="N", help="how many may play at once"
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="your own, in PEM; one is made otherwise"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key, in PEM")
    parser.add_argument(
        "--replicas", metavar="N[-M]", help="so many engines, each in a process, by Ray Serve (an "
        "extra); from N to M as they are needed. --sessions is then of each",
    )  # fmt: skip
    parser.add_argument(
        "--gpus", type=float, default=0.0, metavar="N", help="GPUs of a replica, such as 1 or 0.5"
    )
    parser.set_defaults(command=call_later("app.cli.serve", "serve"))


def _rtap(commands: Commands) -> None:
    parser = commands.add_parser(
        "rtap",
        help="accompany what Max, Pd or any OSC client plays",
        description="Accompany what Max, Pd or any OSC client plays: context audio comes in and a "
        "stem goes out, as the RTAP server and its client speak it over UDP. The patches are "
        "rtap.pd and rtap.maxpat in resources/osc. It listens on this machine only unless --host "
        "names another interface, and then hears one client only.",
    )
    _add_engine(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="interface, such as 0.0.0.0 for all"
    )
    parser.add_argument("--port", type=int, metavar="N", help="to listen on; 7000 by default")
    parser.add_argument(
        "--client", metavar="ADDRESS", help="where the answers go; this machine by default"
    )
    parser.add_argument("--client-port", type=int, metavar="N", help="its port; 8000 by default")
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT[=W]",
        help="how it is to sound; without one it takes on the style of what it hears",
    )
    parser.add_argument(
        "--dream", type=float, metavar="X", help="0, the instruments, to 1, the style's own sound"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="another number, other music")
    parser.set_defaults(command=call_later("app.cli.rtap", "rtap"))


def _instrument(chosen: argparse.Namespace) -> int:
    if chosen.version or chosen.selftest:
        raise SegueError("--version and --selftest stand alone, without any other word.")
    from app.cli.instrument import instrument

    return instrument(chosen)
