"""Prompt library: prompts kept under a name with tags, the performer's own and those shipped."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.files import write_text
from models.engine.interface import check_prompt_text
from models.errors import SegueError

MAX_PROMPTS: Final = 2000
_TAG: Final = re.compile(r"(?:^|\s)#(\w[\w&-]*)")


@dataclass(frozen=True)
class LibraryPrompt:
    """A prompt under a name: words, or the path of a sound. own: not shipped."""

    name: str
    text: str = ""
    audio: str | None = None
    tags: tuple[str, ...] = ()
    own: bool = False

    @property
    def searched(self) -> str:
        """What a search looks at."""
        return " ".join((self.name, self.text, *self.tags)).casefold()


def parse_entry(line: str) -> tuple[str, tuple[str, ...]]:
    """Words and tags of a line such as "warm pads #slow #night"."""
    words = " ".join(_TAG.sub(" ", line).split())
    return words, tuple(dict.fromkeys(tag.casefold() for tag in _TAG.findall(line)))


class PromptLibrary:
    """Prompts of two files: `shipped`, which is only read, and `own`."""

    def __init__(self, shipped: Path, own: Path) -> None:
        self._path = own
        self.problem = ""
        """Why the performer's own could not be read; they are then left as they are."""
        self._shipped = _read(shipped, own=False)
        self._own: list[LibraryPrompt] = []
        try:
            self._own = _read(own, own=True) if own.exists() else []
        except SegueError as error:
            self.problem = str(error)

    def __len__(self) -> int:
        return len(self._own) + len(self._shipped)

    def search(self, words: str = "") -> list[LibraryPrompt]:
        """Prompts in which every word occurs, in name, text or tags; the performer's own first."""
        wanted = words.casefold().replace("#", " ").split()
        return [
            prompt
            for prompt in (*self._own, *self._shipped)
            if all(word in prompt.searched for word in wanted)
        ]

    def keep(
        self, name: str, text: str = "", audio: str | None = None, tags: tuple[str, ...] = ()
    ) -> LibraryPrompt:
        """Keep a prompt, in place of an own one of this name.

        Raises:
            SegueError: it has no name or no valid words, there are too many, or the file cannot be
                written.

        """
        if audio is None:
            check_prompt_text(text)
        if not name.strip():
            raise SegueError("A prompt is kept under a name; type one.")
        if self.problem:
            raise SegueError(f"{self.problem} Move the file away to keep prompts again.")
        kept = LibraryPrompt(name.strip(), text, audio, tags, own=True)
        others = [each for each in self._own if each.name.casefold() != kept.name.casefold()]
        if len(others) >= MAX_PROMPTS:
            raise SegueError(f"{MAX_PROMPTS} prompts can be kept; remove one first.")
        self._write([kept, *others])
        return kept

    def remove(self, name: str) -> None:
        """Remove an own prompt. Raises SegueError where the file cannot be written."""
        self._write([each for each in self._own if each.name != name])

    def _write(self, prompts: list[LibraryPrompt]) -> None:
        entries = [
            {
                "name": each.name,
                "tags": list(each.tags),
                **({"audio": each.audio} if each.audio is not None else {"text": each.text}),
            }
            for each in prompts
        ]
        text = json.dumps({"prompts": entries}, indent=1, ensure_ascii=False)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(f"The prompt library cannot be saved ({error.strerror}).") from error
        write_text(self._path, text + "\n")
        self._own = prompts


def _read(path: Path, *, own: bool) -> list[LibraryPrompt]:
    """Prompts of a file; entries that are none are skipped. Raises SegueError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        entries = data["prompts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SegueError(f"The prompt library {path} cannot be read ({error}).") from None
    found = [_entry(each, own=own) for each in entries] if isinstance(entries, list) else []
    return [each for each in found if each is not None]


def _entry(data: object, *, own: bool) -> LibraryPrompt | None:
    if not isinstance(data, dict):
        return None
    text, audio, tags = data.get("text", ""), data.get("audio"), data.get("tags", [])
    name = data.get("name", text)
    if not (isinstance(text, str) and isinstance(name, str) and isinstance(tags, list)):
        return None
    if not name or not (isinstance(audio, str) or text):
        return None
    words = tuple(tag for tag in tags if isinstance(tag, str))
    return LibraryPrompt(name, text, audio if isinstance(audio, str) else None, words, own)
