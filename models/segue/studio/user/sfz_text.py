"""SFZ as text: comments, #define, #include and headers, down to the opcodes of each region.

Format: sfzformat.com, "SFZ format" and its opcode pages. Opcodes that nothing here knows are
counted by whoever reads the regions, and are never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from models.errors import SegueError

MAX_BYTES: Final = 8_000_000
"""Text of a file with all that it includes."""
MAX_DEPTH: Final = 10
MAX_REGIONS: Final = 20_000
LEVELS: Final = ("global", "master", "group", "region")
"""Headers whose opcodes are handed down, from the outermost."""
_BLOCK_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_LINE_COMMENT: Final = re.compile(r"//[^\n]*")
_DIRECTIVE: Final = re.compile(
    r"#define[ \t]+(\$\w+)[ \t]+(\S+)|#include[ \t]+\"([^\"\n]+)\"", re.IGNORECASE
)
_HEADER: Final = re.compile(r"<(\w+)>")
_OPCODE: Final = re.compile(r"([A-Za-z_]\w*)=(.*?)(?=[ \t]+[A-Za-z_]\w*=|$)", re.MULTILINE)


def region_opcodes(text: str, include: Callable[[str], str]) -> list[dict[str, str]]:
    """Opcodes of each region, with those of the headers that it stands under.

    Args:
        text: of the file.
        include: gives the text of a file that is included, by the name that stands there.

    Raises:
        SegueError: files that include each other without end, or too much of everything.

    """
    whole = _Expansion(include).expand(text, 0)
    values: dict[str, dict[str, str]] = {level: {} for level in LEVELS}
    control: dict[str, str] = {}
    regions: list[dict[str, str]] = []
    pieces = _HEADER.split(whole)
    for header, body in zip(pieces[1::2], pieces[2::2], strict=True):
        name = header.lower()
        opcodes = {key.lower(): value.strip() for key, value in _OPCODE.findall(body)}
        if name == "control":
            control.update(opcodes)
        elif name in LEVELS:
            for lower in LEVELS[LEVELS.index(name) :]:
                values[lower] = {}
            values[name] = opcodes
            if name == "region":
                merged = {k: v for level in LEVELS for k, v in values[level].items()}
                regions.append({**_of_control(control), **merged})
                if len(regions) > MAX_REGIONS:
                    raise SegueError(f"it has more than {MAX_REGIONS} regions: give a smaller one.")
    return regions


def _of_control(control: dict[str, str]) -> dict[str, str]:
    """What <control> hands down, under names of its own."""
    return {f"control:{name}": value for name, value in control.items()}


class _Expansion:
    """Text with its directives carried out."""

    def __init__(self, include: Callable[[str], str]) -> None:
        self.include = include
        self.defined: dict[str, str] = {}
        self.size = 0

    def expand(self, text: str, depth: int) -> str:
        """The text of one file, whose comments go and whose directives are carried out in order."""
        self.size += len(text)
        if depth > MAX_DEPTH or self.size > MAX_BYTES:
            raise SegueError(
                "its files include each other without end: correct its #include lines."
            )
        text = _LINE_COMMENT.sub("", _BLOCK_COMMENT.sub("", text.replace("\r", "\n")))
        out, at = [], 0
        for found in _DIRECTIVE.finditer(text):
            out.append(self._filled(text[at : found.start()]))
            at = found.end()
            name, value, file = found.groups()
            if file is not None:
                out.append(self.expand(self.include(self._filled(file)), depth + 1))
            else:
                self.defined[name] = self._filled(value)
        out.append(self._filled(text[at:]))
        return "\n".join(out)

    def _filled(self, text: str) -> str:
        """With the variables' values; of names that begin alike, the longer one."""
        if "$" not in text or not self.defined:
            return text
        names = sorted(self.defined, key=len, reverse=True)
        pattern = re.compile("|".join(re.escape(name) for name in names))
        filled = pattern.sub(lambda match: self.defined[match.group()], text)
        self.size += max(0, len(filled) - len(text))
        if self.size > MAX_BYTES:
            raise SegueError("its #define lines make it too long: give a smaller one.")
        return filled
