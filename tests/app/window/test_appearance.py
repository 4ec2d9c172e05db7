"""Appearance: contrast, layout at window sizes, long texts, tooltips on every widget."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from app.window.prompts.map.labels import overlap_area, place_labels
from app.window.proportions import (
    MAX_SCALE,
    MIN_SIZE,
    LastSize,
    load_size,
    opening,
    scale_of,
)
from app.window.style import colours
from app.window.widgets.fit_text import paint_fit_text
from app.window.widgets.parameter_widget import ParameterWidget
from models.magenta_rt2.conditioning import CONTROLS
from tests.support.fake_player import INFO, status
from tests.support.rig import Rig

LONG = (
    "a slow melancholic string quartet that turns into distorted industrial techno with tape hiss, "
    "rain on a tin roof and a distant choir singing vowels"
)
SIZES = [(1080, 640), (1080, 680), (1280, 720), (1440, 900), (1920, 1080), (2560, 1440)]


def luminance(hex_color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(hex_color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("ink", "ground", "ratio"),
    [
        (colours.TEXT, colours.PANEL, 12.0),
        (colours.TEXT, colours.RAISED, 12.0),
        (colours.DIM, colours.PANEL, 6.5),
        (colours.FAINT, colours.PANEL, 4.5),
        (colours.FAINT, colours.BACKGROUND, 4.5),
        (colours.ACCENT, colours.PANEL, 7.0),
        (colours.DANGER, colours.BACKGROUND, 4.5),
        (colours.BACKGROUND, colours.ACCENT, 7.0),
        *((hex_color, colours.PANEL, 4.5) for hex_color in colours.STRIPS),
    ],
)
def test_what_is_written_can_be_read(ink: str, ground: str, ratio: float) -> None:
    assert contrast(ink, ground) >= ratio


@pytest.mark.parametrize(
    ("width", "height", "controls"), [*((*size, INFO.controls) for size in SIZES),
                                      (1080, 640, CONTROLS)]
)  # fmt: skip
def test_nothing_overlaps_or_leaves_the_window(
    rig: Rig, width: int, height: int, controls: frozenset[str]
) -> None:
    rig.worker.ready(controls)
    while len(rig.session.prompts) < 16:
        rig.session.prompts.add("more of this", weight=0.3)
    rig.session.prompts.set(1, text=LONG)
    window = rig.window
    for view, stage in (("mixer", False), ("map", False), ("mixer", True)):
        rig.registry.set("view", view)
        rig.registry.set("stage", stage)
        QApplication.processEvents()  # full screen comes and goes by events
        window.resize(width, height)
        for _ in range(4):  # layouts within layouts
            QApplication.processEvents()
        assert (window.width(), window.height()) == (width, height)
        for parent in (window.centre, window.scenes, window.scenes.grid, window.controls,
                       window.transport, window.widgets.lower, window.mixer):  # fmt: skip
            shown = [w for w in parent.children() if isinstance(w, QWidget) and w.isVisible()]
            for widget in shown:
                assert parent.rect().contains(widget.geometry()), widget
            for a, b in itertools.combinations(shown, 2):
                assert not a.geometry().intersects(b.geometry()), (a, b)
        window.grab()
    rig.registry.set("stage", False)


@pytest.mark.parametrize(
    ("width", "height", "stage", "scale"),
    [
        (1080, 680, False, 1.0),
        (1440, 900, False, 1.0),
        (1440, 900, True, 1.15),
        (2560, 1440, False, 1.6),
        (2560, 720, False, 1.0),  # wide alone is not large
        (7680, 4320, True, MAX_SCALE),
    ],
)
def test_scale_follows_the_window(width: int, height: int, stage: bool, scale: float) -> None:
    assert scale_of(width, height, stage) == pytest.approx(scale)


@pytest.mark.parametrize(("height", "count"), [(640, 9), (720, 16), (900, 16)])
def test_a_strips_knob_leaves_its_words_alone(rig: Rig, height: int, count: int) -> None:
    """Two rows of prompts on a small screen: the knobs must not cover the names."""
    while len(rig.session.prompts) < count:
        rig.session.prompts.add("more of this", weight=0.3)
    rig.window.resize(1280, height)
    QApplication.processEvents()
    for strip in rig.window.mixer.strips[:count]:
        centre, radius = strip.knob.ring()
        down = strip.knob.y() + centre.y() + radius
        assert down <= strip._words_box().top() + 1.0
        assert strip.knob.geometry().bottom() <= strip._words_box().top() + 1.0
        assert radius >= 12.0


def test_a_warning_is_read_to_its_end_and_the_figures_give_way(rig: Rig) -> None:
    line = rig.window.status
    line.resize(1080, 28)
    rig.worker.status_changed.emit(status(real_time_factor=0.9))
    sentence = "The sound device “Scarlett 18i20” is gone; another one plays until it comes back."
    rig.window.say("info", sentence)
    figures, words = line.layout_fields()
    assert len(figures) == 7 and words.endswith("…")
    assert all(a[0] > b[0] for a, b in itertools.pairwise(figures))
    rig.window.say("warning", sentence)
    figures, words = line.layout_fields()
    assert words == sentence and 1 < len(figures) < 7
    assert any(alarming for *_, alarming in figures), "what is itself alarming stays"
    line.mousePressEvent(None)  # type: ignore[arg-type]
    line.grab()


@pytest.mark.parametrize(
    ("room", "size"),
    [
        ((1920, 1050), (1440, 900, False)),
        ((3840, 2130), (1440, 900, False)),
        ((1366, 728), (1257, 640, True)),
        ((1280, 672), (1178, 640, True)),  # a full HD laptop at 150 percent
        ((1440, 900), (1325, 791, True)),  # the title bar would not be on the screen
        ((800, 600), (1080, 640, True)),
    ],
)
def test_it_opens_so_that_all_of_it_is_on_the_screen(
    room: tuple[int, int], size: tuple[int, int, bool]
) -> None:
    assert opening(*room) == size


@pytest.mark.parametrize(
    ("last", "room", "expected"),
    [
        (LastSize(1500, 950), (1920, 1080), (1500, 950, False)),
        (LastSize(1500, 950, True), (1920, 1080), (1500, 950, True)),
        (LastSize(2500, 1400), (1366, 728), (1366, 688, False)),  # another screen today
        (LastSize(300, 200), (1920, 1080), (*MIN_SIZE, False)),
    ],
)
def test_the_window_opens_as_it_was_closed_where_that_fits(
    last: LastSize, room: tuple[int, int], expected: tuple[int, int, bool]
) -> None:
    assert opening(*room, last) == expected


def test_the_size_is_remembered(rig: Rig, tmp_path: Path) -> None:
    rig.window.resize(1201, 703)
    rig.window.proportions.close(tmp_path / "window.json")
    assert load_size(tmp_path / "window.json") == LastSize(1201, 703)
    rig.window.resize(1300, 800)
    rig.window.proportions.open(tmp_path / "window.json")
    room = rig.window.screen().availableSize()
    assert rig.window.width() == min(1201, max(room.width(), MIN_SIZE[0]))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"width": "x", "height": 1, "maximised": 0}'])
def test_a_size_that_cannot_be_read_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "window.json").write_text(text)
    assert load_size(tmp_path / "window.json") is None
    assert load_size(tmp_path / "missing.json") is None


def test_on_a_small_screen_it_opens_maximised(rig: Rig) -> None:
    """All of the window must fit on a screen of 1280 by 720."""
    rig.window.hide()
    rig.window.proportions.open()
    small = rig.window.screen().availableSize()
    assert small.width() < 1440, "the offscreen screen is small"
    rig.window.show()
    assert rig.window.isMaximized()


def test_on_a_large_screen_the_writing_is_large(rig: Rig) -> None:
    rig.window.resize(1440, 900)
    usual = (rig.window.status.height(), rig.window.widgets.right.width())
    rig.window.resize(2560, 1440)
    QApplication.processEvents()
    assert rig.window.status.height() > 1.5 * usual[0]
    assert rig.window.widgets.right.width() > 1.5 * usual[1]


@pytest.mark.parametrize("words", [LONG, "Donaudampfschifffahrtsgesellschaftskapitän", "Flute", ""])
@pytest.mark.parametrize("box", [(84, 38), (90, 130), (210, 132)])
def test_words_stay_in_their_box(qapp: QApplication, words: str, box: tuple[int, int]) -> None:
    image = QImage(box[0] + 80, box[1] + 80, QImage.Format.Format_Grayscale8)
    image.fill(0)
    painter = QPainter(image)
    painter.setPen(QColor("#ffffff"))
    paint_fit_text(painter, QRectF(40, 40, *box), words, largest=28.0)
    painter.end()
    ink = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    rows, across = np.nonzero(ink[:, : image.width()] > 60)
    if not words:
        assert not rows.size
        return
    assert rows.size > 20
    assert across.min() >= 39 and across.max() <= 41 + box[0]
    assert rows.min() >= 36 and rows.max() <= 44 + box[1]


def test_names_on_the_map_do_not_cover_each_other() -> None:
    rng = np.random.default_rng(5)
    for count in (4, 8, 16):
        points = [(float(x), float(y)) for x, y in rng.uniform((60, 40), (900, 360), (count, 2))]
        sizes = [(float(w), 20.0) for w in rng.uniform(40, 150, count)]
        boxes = place_labels(points, sizes, 14.0, (960.0, 400.0))
        below = [(x - w / 2, y + 14.0, w, h) for (x, y), (w, h) in zip(points, sizes, strict=True)]
        assert covered(boxes) <= 0.25 * covered(below)
        for x, y, w, h in boxes:
            assert x >= 0 and y >= 0 and x + w <= 960 and y + h <= 400
    alone = place_labels([(500.0, 200.0)], [(80.0, 20.0)], 14.0, (960.0, 400.0))
    assert alone == [(460, 214, 80, 20)]


def covered(boxes: list[tuple[float, float, float, float]]) -> float:
    return sum(overlap_area(a, b) for a, b in itertools.combinations(boxes, 2))


def test_everything_that_can_be_touched_says_what_it_does(rig: Rig) -> None:
    rig.window.prompt_actions.edit(1)
    touched = [*rig.window.findChildren(ParameterWidget), *rig.window.findChildren(QAbstractButton)]
    assert len(touched) > 100
    bare = [
        (type(w).__name__, w.accessibleName())
        for w in touched
        if len(re.sub("<[^>]*>", "", w.toolTip())) < 8 and w.objectName() != "qt_toolbar_ext_button"
    ]
    assert not bare
    nameless = [type(w).__name__ for w in touched if not w.accessibleName() and not w_text(w)]
    assert not nameless


def w_text(widget: QWidget) -> str:
    return widget.text() if isinstance(widget, QAbstractButton) else ""
