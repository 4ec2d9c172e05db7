"""Prompt library: kept, found, removed; damaged files; what is shipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.session.prompts.library import LibraryPrompt, PromptLibrary, parse_entry
from models.errors import SegueError

SHIPPED = Path(__file__).resolve().parents[3] / "resources" / "prompts.json"


@pytest.fixture
def library(tmp_path: Path) -> PromptLibrary:
    return PromptLibrary(SHIPPED, tmp_path / "prompts.json")


def test_two_hundred_are_shipped(library: PromptLibrary) -> None:
    found = library.search()
    assert len(found) >= 200 and len({each.text.casefold() for each in found}) == len(found)
    assert all(each.tags and not each.own for each in found)


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [("techno", 9, 30), ("TECHNO dub", 1, 3), ("#piano", 8, 40), ("no such thing", 0, 0)],
)
def test_search(library: PromptLibrary, words: str, least: int, most: int) -> None:
    found = library.search(words)
    assert least <= len(found) <= most
    assert all(
        word.strip("#").casefold() in each.searched for each in found for word in words.split()
    )


def test_what_is_kept_is_there_again(library: PromptLibrary, tmp_path: Path) -> None:
    library.keep("Night", "slow pads", tags=("dark",))
    library.keep("My loop", audio="/sounds/loop.wav")
    library.keep("night", "slower pads")  # in place of the first
    for one in (library, PromptLibrary(SHIPPED, tmp_path / "prompts.json")):
        assert one.search()[:2] == [
            LibraryPrompt("night", "slower pads", own=True),
            LibraryPrompt("My loop", "", "/sounds/loop.wav", own=True),
        ]
    library.remove("My loop")
    assert [
        each.name for each in PromptLibrary(SHIPPED, tmp_path / "prompts.json").search("loop")
    ] == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("", "pads", "under a name"), ("a", " ", "prompt"), ("a", "x" * 9999, "prompt")],
)
def test_what_cannot_be_kept_is_a_sentence(
    library: PromptLibrary, name: str, text: str, words: str
) -> None:
    with pytest.raises(SegueError, match=words):
        library.keep(name, text)
    assert not library.search()[0].own


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"prompts": 1}', "\x00"])
def test_a_damaged_file_is_left_alone(content: str, tmp_path: Path) -> None:
    own = tmp_path / "prompts.json"
    own.write_text(content)
    library = PromptLibrary(SHIPPED, own)
    assert len(library) >= 200
    if library.problem:
        with pytest.raises(SegueError, match="Move the file away"):
            library.keep("a", "b")
        assert own.read_text() == content


def test_entries_that_are_none_are_skipped(tmp_path: Path) -> None:
    own = tmp_path / "prompts.json"
    entries = [1, {}, {"name": "a"}, {"text": 5}, {"name": "b", "text": "c", "tags": [1, "d"]}]
    own.write_text(json.dumps({"prompts": entries}))
    assert PromptLibrary(SHIPPED, own).search()[0] == LibraryPrompt("b", "c", None, ("d",), True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("warm pads #slow #Night", ("warm pads", ("slow", "night"))),
        ("#slow warm  pads", ("warm pads", ("slow",))),
        ("C# minor jazz", ("C# minor jazz", ())),
        ("a # b", ("a # b", ())),
        ("r #r&b #lo-fi", ("r", ("r&b", "lo-fi"))),
    ],
)
def test_tags_of_a_line(line: str, expected: tuple[str, tuple[str, ...]]) -> None:
    assert parse_entry(line) == expected


def test_an_embedding_is_kept_for_each_engine(library: PromptLibrary, tmp_path: Path) -> None:
    library.keep("tape", audio="/gone/tape.wav")
    library.keep("drone", "slow drone")
    key, style = "audio:/gone/tape.wav", np.linspace(-1, 1, 128, dtype=np.float32)
    assert [prompt.style_key for prompt in library.unknown("segue")] == ["text:slow drone", key]
    library.learn(key, "segue", style)
    library.learn(key, "other", style[:7])
    library.learn(key, "segue", 2 * style)
    library.keep("tape again", audio="/gone/tape.wav")
    for one in (library, PromptLibrary(SHIPPED, tmp_path / "prompts.json")):
        found = one.style_for(key, "segue")
        assert found is not None and np.array_equal(found, 2 * style)
        assert len(one.search("again")[0].styles) == 2
        assert one.style_for("text:slow drone", "segue") is None
        assert [prompt.style_key for prompt in one.unknown("segue")] == ["text:slow drone"]


@pytest.mark.parametrize(
    "styles", [5, {"segue": 5}, {"segue": "?"}, {"segue": ""}, {"segue": "AAA="}]
)
def test_a_damaged_embedding_is_none(styles: object, tmp_path: Path) -> None:
    own = tmp_path / "prompts.json"
    own.write_text(json.dumps({"prompts": [{"name": "b", "text": "c", "styles": styles}]}))
    library = PromptLibrary(SHIPPED, own)
    assert library.search()[0].name == "b" and library.style_for("text:c", "segue") is None
