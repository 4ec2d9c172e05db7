"""JSON parser that keeps the line of every value, for error messages.

The grammar is that of RFC 8259; duplicate names, infinite numbers and nesting deeper than 32 are
errors.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Final

from models.errors import SegueError

DEPTH: Final = 32
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Node:
    """A JSON value and its line, from 1."""

    value: dict[str, Node] | list[Node] | str | int | float | bool | None
    line: int


def parse(text: str) -> Node:
    """Parse a JSON text. Raises SegueError: "line N: what is wrong."."""
    reader = _Reader(text)
    node, at = reader.value(0, 0)
    at = reader.skip(at)
    if at != len(text):
        raise reader.error(at, "there is more after the end")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def error(self, at: int, sentence: str) -> SegueError:
        line = self.text.count("\n", 0, min(at, len(self.text))) + 1
        return SegueError(f"line {line}: {sentence}.")

    def skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        at = self.skip(at)
        if depth > DEPTH:
            raise self.error(at, "brackets lie too deep in each other")
        if at >= len(self.text):
            raise self.error(at, "the file ends in the middle")
        line = self.text.count("\n", 0, at) + 1
        letter = self.text[at]
        if letter == "{":
            members, end = self.members(at + 1, depth)
            return Node(members, line), end
        if letter == "[":
            items, end = self.items(at + 1, depth)
            return Node(items, line), end
        if letter == '"':
            words, end = self.string(at)
            return Node(words, line), end
        for word, constant in _WORDS.items():
            if self.text.startswith(word, at):
                return Node(constant, line), at + len(word)
        found = _NUMBER.match(self.text, at)
        if found is None:
            raise self.error(at, f"a value cannot begin with '{letter}'")
        if found.group(1) is None and found.group(2) is None and len(found.group()) < 19:
            return Node(int(found.group()), line), found.end()
        number = float(found.group())
        if not math.isfinite(number):
            raise self.error(at, "the number is too large")
        return Node(number, line), found.end()

    def string(self, at: int) -> tuple[str, int]:
        try:
            words, end = scanstring(self.text, at + 1, True)
        except json.JSONDecodeError:
            raise self.error(at, "a text in quotes is not closed or holds a bad sign") from None
        return words, end

    def members(self, at: int, depth: int) -> tuple[dict[str, Node], int]:
        found: dict[str, Node] = {}
        at = self.skip(at)
        if self.text.startswith("}", at):
            return found, at + 1
        while True:
            at = self.skip(at)
            if not self.text.startswith('"', at):
                what = "the file ends in the middle" if at >= len(self.text) else "a name in quotes"
                raise self.error(at, what if at >= len(self.text) else f"{what} is missing")
            name, end = self.string(at)
            if name in found:
                raise self.error(at, f"'{name}' is given twice")
            at = self.skip(end)
            if not self.text.startswith(":", at):
                raise self.error(at, f"a colon is missing after '{name}'")
            found[name], at = self.value(at + 1, depth + 1)
            at = self.skip(at)
            if self.text.startswith("}", at):
                return found, at + 1
            if not self.text.startswith(",", at):
                raise self.error(at, "a comma or a closing brace is missing")
            at += 1

    def items(self, at: int, depth: int) -> tuple[list[Node], int]:
        found: list[Node] = []
        at = self.skip(at)
        if self.text.startswith("]", at):
            return found, at + 1
        while True:
            node, at = self.value(at, depth + 1)
            found.append(node)
            at = self.skip(at)
            if self.text.startswith("]", at):
                return found, at + 1
            if not self.text.startswith(",", at):
                raise self.error(at, "a comma or a closing bracket is missing")
            at += 1
