"""Arguments of the commands for learned sounds. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from app.cli.parser import Commands, call_later
from models.engine.sounds import MAX_PIECES


def add_sounds(actions: Commands) -> None:
    """What can be done with learned sounds, besides teaching them."""
    for name, text in (
        ("export", "write a learned sound to a file of your own"),
        ("import", "take the file of a learned sound in"),
        ("delete", "delete a learned sound, and what teaching kept of it"),
    ):
        action = actions.add_parser(name, help=text)
        if name != "import":
            action.add_argument("name", metavar="NAME", help="the learned sound")
        if name != "delete":
            action.add_argument("file", type=Path, metavar="FILE", help="the file, or a folder")
        if name == "import":
            action.add_argument("--name", default="", help="another name for it")
        action.set_defaults(command=call_later("app.cli.learned.sounds", f"{name}_sound"))


def add_teach(commands: Commands) -> None:
    parser = commands.add_parser(
        "teach",
        help="learn a sound from audio files of your own",
        description="Learn a sound from audio files of your own: it is then a prompt, sound:NAME. "
        "Each file keeps a style of its own, and they have their turns in the music; of more than "
        f"{MAX_PIECES}, those that are alike are taken together. "
        "Nothing leaves this machine. With the name alone it goes on where it was stopped.",
    )
    parser.add_argument("name", metavar="NAME", help="of the sound")
    parser.add_argument(
        "places", nargs="*", type=Path, metavar="FOLDER", help="a folder, or audio files"
    )
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="of computing by all threads; 10 by default"
    )
    parser.add_argument("--rank", type=int, metavar="N", help="of the changes, 4 to 16; 8")
    parser.add_argument("--threads", type=int, metavar="N", help="that compute; 4 at most")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="that trains; a CUDA card by default"
    )
    parser.add_argument(
        "--licence", default="", metavar="TEXT", help="what the sound may be used for"
    )
    parser.add_argument(
        "--json", action="store_true", help="progress as JSON; pause, go and stop on the input"
    )
    parser.set_defaults(command=call_later("app.cli.learned.teach", "teach"))
