"""The patches for Pd and Max: whole files, wired throughout, that speak the protocol.

Pd runs its patch in `test_rtap_pd.py`. Max cannot be run here: its patch is checked
against the format of its files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.control.rtap.messages import CLIENT_PORT, PORT, STEMS, WINDOW
from tests.app.control.osc.test_examples import PATCH

PD, MAX, SCRIPT = (PATCH.with_name(f"rtap.{kind}") for kind in ("pd", "maxpat", "js"))
ADDRESSES = {
    "update_package_size", "update_r", "w", "update_fade", "predict_instruments", "reset", "context"
}  # fmt: skip


def canvases() -> list[tuple[list[str], list[tuple[int, ...]]]]:
    """Objects and connections of the Pd patch's canvases, the inner ones first."""
    text = PD.read_text(encoding="utf-8")
    entries = [each.strip().replace("\n", " ") for each in re.split(r"(?<!\\);", text)]
    done, stack = [], list[tuple[list[str], list[tuple[int, ...]]]]()
    for entry in filter(None, entries):
        kind = " ".join(entry.split()[:2])
        if kind == "#N canvas":
            stack.append(([], []))
        elif kind == "#X connect":
            stack[-1][1].append(tuple(int(word) for word in entry.split()[2:6]))
        else:
            if kind == "#X restore":
                done.append(stack.pop())
            stack[-1][0].append(entry)
    assert len(stack) == 1
    return [*done, stack[0]]


def test_every_object_of_the_pd_patch_is_wired_and_every_wire_ends_at_one() -> None:
    found = canvases()
    assert len(found) == 6
    for objects, wires in found:
        for source, _, target, _ in wires:
            assert 0 <= source < len(objects) and 0 <= target < len(objects)
        ends = {end for source, _, target, _ in wires for end in (source, target)}
        alone = [objects[i] for i in range(len(objects)) if i not in ends]
        alone = [x for x in alone if not re.match(r"#X (text|restore)|.*array define", x)]
        assert not alone
        for number, entry in enumerate(objects):
            trigger = re.match(r"#X obj \d+ \d+ t ([bf ]+)$", entry)
            if trigger:  # each outlet of a trigger does something, and something sets it off
                used = {outlet for source, outlet, _, _ in wires if source == number}
                assert used == set(range(len(trigger[1].split()))), entry
                assert number in {target for _, _, target, _ in wires}, entry


def test_the_pd_patch_says_what_the_server_knows() -> None:
    text = PD.read_text(encoding="utf-8")
    sent = {re.sub(r"-f i+ ", "", words) for words in re.findall(r"oscformat ([^;]+);", text)}
    assert sent == ADDRESSES
    assert f"connect 127.0.0.1 {PORT};" in text and f"65 {CLIENT_PORT};" in text
    assert f"* {WINDOW};" in text and "route " + " ".join(STEMS) in text
    names = {kind: set(re.findall(rf"obj \d+ \d+ {kind} (rtap-[a-z-]+)", text)) for kind in "sr"}
    assert names["s"] - {"rtap-stop"} <= names["r"]


def test_the_max_patch_is_of_the_format() -> None:
    patcher = json.loads(MAX.read_text(encoding="utf-8"))["patcher"]
    assert patcher["fileversion"] == 1 and patcher["appversion"]["major"] >= 8
    boxes = {each["box"]["id"]: each["box"] for each in patcher["boxes"]}
    assert len(boxes) == len(patcher["boxes"])
    for box in boxes.values():
        assert len(box["patching_rect"]) == 4 and box["maxclass"]
        assert len(box.get("outlettype", [])) == box["numoutlets"]
        assert box["maxclass"] != "newobj" or box["text"]
    wired = set()
    for each in patcher["lines"]:
        (source, outlet), (target, inlet) = (
            each["patchline"][end] for end in ("source", "destination")
        )
        assert outlet < boxes[source]["numoutlets"] and inlet < boxes[target]["numinlets"]
        wired |= {source, target}
    assert {name for name, box in boxes.items() if box["maxclass"] != "comment"} - wired == {
        "bin", "ban"
    }  # fmt: skip
    texts = {box.get("text") for box in boxes.values()}
    assert {f"udpsend 127.0.0.1 {PORT}", f"udpreceive {CLIENT_PORT}", "js rtap.js"} <= texts


@pytest.mark.parametrize("path", [PD, MAX, SCRIPT], ids=lambda path: Path(path).suffix)
def test_the_patches_are_text_of_ours(path: Path) -> None:
    assert path.read_text(encoding="utf-8").isascii()


def test_the_script_of_the_max_patch_says_what_the_server_knows() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert set(re.findall(r'"/([a-z_]+)"', text)) - {"batch_dropped"} == ADDRESSES
    assert f"var WINDOW = {WINDOW};" in text
    assert json.loads(re.findall(r"var STEMS = (\[.*\]);", text)[0]) == list(STEMS)
    patch = MAX.read_text(encoding="utf-8")
    asked = set(re.findall(r"prepend ([a-z]+)", patch)) | {"begin", "stop"}
    assert asked <= set(re.findall(r"^function ([a-z_]+)\(", text, re.MULTILINE))
