"""Prompt library: prompts kept under a name with tags, the performer's own and those shipped.

One's own are kept with their embeddings, one for each engine that has played them, so that a sound
can still be used when its file is gone.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from app.files import write_text
from app.session.document import SessionPrompt
from models.engine.controls import Style, as_style
from models.engine.prompt_checks import check_prompt_text
from models.errors import SegueError

MAX_PROMPTS: Final = 2000
_TAG: Final = re.compile(r"(?:^|\s)#(\w[\w&-]*)")


@dataclass(frozen=True)
class LibraryPrompt:
    """A prompt under a name: words, or the path of a sound. own: not shipped.

    styles: (engine, float32 in base64) of each engine by which its embedding is known.
    """

    name: str
    text: str = ""
    audio: str | None = None
    tags: tuple[str, ...] = ()
    own: bool = False
    styles: tuple[tuple[str, str], ...] = ()

    @property
    def prompt(self) -> SessionPrompt:
        """As a prompt of a session."""
        return SessionPrompt(self.text or self.name, self.audio)

    def style_for(self, engine: str) -> Style | None:
        """Its embedding, float32 (style_dim,); None where that of this engine is not known."""
        text = dict(self.styles).get(engine)
        if text is None:
            return None
        try:
            return as_style(np.frombuffer(base64.b64decode(text, validate=True), "<f4"))
        except (ValueError, SegueError):
            return None

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
        known = self._with_key(kept.prompt.style_key)
        kept = replace(kept, styles=known[0].styles if known else ())
        others = [each for each in self._own if each.name.casefold() != kept.name.casefold()]
        if len(others) >= MAX_PROMPTS:
            raise SegueError(f"{MAX_PROMPTS} prompts can be kept; remove one first.")
        self._write([kept, *others])
        return kept

    def style_for(self, key: str, engine: str) -> Style | None:
        """Embedding of an own prompt by the key of its style; None where it is not known."""
        found = (prompt.style_for(engine) for prompt in self._with_key(key))
        return next((style for style in found if style is not None), None)

    def unknown(self, engine: str) -> list[SessionPrompt]:
        """Own prompts whose embedding of this engine is not known."""
        return [each.prompt for each in self._own if each.style_for(engine) is None]

    def learn(self, key: str, engine: str, style: Style) -> None:
        """Keep an embedding with the own prompts of this key.

        Raises:
            SegueError: the file cannot be written.

        """
        text = base64.b64encode(np.asarray(style, "<f4").tobytes()).decode("ascii")
        new = ((engine, text),)
        self._write(
            [
                replace(each, styles=(*(s for s in each.styles if s[0] != engine), *new))
                if each.prompt.style_key == key
                else each
                for each in self._own
            ]
        )

    def _with_key(self, key: str) -> list[LibraryPrompt]:
        return [each for each in self._own if each.prompt.style_key == key]

    def remove(self, name: str) -> None:
        """Remove an own prompt. Raises SegueError where the file cannot be written."""
        self._write([each for each in self._own if each.name != name])

    def _write(self, prompts: list[LibraryPrompt]) -> None:
        entries = [
            {
                "name": each.name,
                "tags": list(each.tags),
                **({"audio": each.audio} if each.audio is not None else {"text": each.text}),
                **({"styles": dict(each.styles)} if each.styles else {}),
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
    styles = data.get("styles")
    known = styles.items() if isinstance(styles, dict) else ()
    kept = tuple((str(engine), text) for engine, text in known if isinstance(text, str))
    return LibraryPrompt(name, text, audio if isinstance(audio, str) else None, words, own, kept)
