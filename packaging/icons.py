"""Draws the program's icons from resources/icons/segue.svg: PNG, ICO and ICNS.

    python packaging/icons.py FOLDER

ICO and ICNS are both a table of contents followed by PNG files.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SVG: Final = Path(__file__).resolve().parent.parent / "resources" / "icons" / "segue.svg"
BACKGROUND: Final = "#0d0f12"
FOREGROUND: Final = "#f5ae5b"
ICO_SIZES: Final = (16, 24, 32, 48, 64, 128, 256)
ICNS_KINDS: Final = {
    16: b"icp4",
    32: b"icp5",
    64: b"icp6",
    128: b"ic07",
    256: b"ic08",
    512: b"ic09",
}
PNG_SIZES: Final = (16, 32, 48, 64, 128, 256, 512)


def png(size: int) -> bytes:
    """PNG of the icon on its rounded background, `size` pixels wide."""
    from PySide6.QtCore import QBuffer, QByteArray, QRectF, Qt
    from PySide6.QtGui import QColor, QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(BACKGROUND))
    edge = size * 0.04
    painter.drawRoundedRect(
        QRectF(edge, edge, size - 2 * edge, size - 2 * edge), size * 0.2, size * 0.2
    )
    text = SVG.read_text(encoding="utf-8").replace("currentColor", FOREGROUND)
    inner = QRectF(size * 0.14, size * 0.14, size * 0.72, size * 0.72)
    QSvgRenderer(QByteArray(text.encode())).render(painter, inner)
    painter.end()
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def ico(pictures: Mapping[int, bytes]) -> bytes:
    """Windows icon of PNG pictures by size (256 is written as 0)."""
    head = struct.pack("<HHH", 0, 1, len(pictures))
    offset = len(head) + 16 * len(pictures)
    rows, body = b"", b""
    for size, data in sorted(pictures.items()):
        side = size % 256
        rows += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(data), offset + len(body))
        body += data
    return head + rows + body


def icns(pictures: Mapping[int, bytes]) -> bytes:
    """Icon for macOS of PNG pictures by size."""
    body = b"".join(
        ICNS_KINDS[size] + struct.pack(">I", len(data) + 8) + data
        for size, data in sorted(pictures.items())
        if size in ICNS_KINDS
    )
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def main(folder: Path) -> int:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication.instance() or QGuiApplication(["icons"])
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {size: png(size) for size in sorted({*ICO_SIZES, *PNG_SIZES})}
    for size in PNG_SIZES:
        (folder / f"segue-{size}.png").write_bytes(pictures[size])
    (folder / "segue.ico").write_bytes(ico({size: pictures[size] for size in ICO_SIZES}))
    (folder / "segue.icns").write_bytes(icns(pictures))
    del app
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
