"""The annotation strip: one row per muscle, one column per slice. Knows no scene, only what it is told to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import qt

from MusclePropLib.gui.signal import Signal
from MusclePropLib.gui.strip_picture import Row, pixel_of, slice_at, strip_picture

ROW_HEIGHT = 16
GAP = 3
MARK = 5  # half the width of the triangle at the suggested slice
NAME_SPACE = 8
LONGEST_NAME = 90  # pixels


@dataclass(frozen=True)
class StripContent:
    """What the strip shows. `ids` and `names` go with `rows`; slices are indices or None."""

    ids: Sequence[str] = ()
    names: Sequence[str] = ()
    rows: Sequence[Row] = ()
    slices: int = 0
    current: int | None = None
    suggested: int | None = None


class AnnotationStrip(qt.QWidget):
    """`clicked` is emitted with segment ID and slice. `tell` gives the tooltip of a cell (row, slice)."""

    def __init__(self, tell: Callable[[int, int], str], parent: qt.QWidget | None = None) -> None:
        super().__init__(parent)
        self.clicked = Signal()
        self.content = StripContent()
        self._tell = tell
        self._pixmap: qt.QPixmap | None = None
        self.setMouseTracking(True)
        self.setCursor(qt.QCursor(qt.Qt.PointingHandCursor))
        self.setMinimumHeight(ROW_HEIGHT + 2 * MARK)

    def show_content(self, content: StripContent) -> None:
        """Show something else; the picture is made anew only if it has to be."""
        old, self.content = self.content, content
        if (old.rows, old.names, old.slices) != (content.rows, content.names, content.slices):
            self._pixmap = None
            self.setFixedHeight(max(1, len(content.rows)) * (ROW_HEIGHT + GAP) + 2 * MARK)
        self.update()

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and slice at a point of the widget; None beside the cells."""
        row = int(y - MARK) // (ROW_HEIGHT + GAP)
        if x < self._left() or not 0 <= row < len(self.content.rows) or not self.content.slices:
            return None
        return row, slice_at(x - self._left(), self.content.slices, self._cells_width())

    def paintEvent(self, event: qt.QPaintEvent) -> None:
        """Names, cells, the current slice as a line, the suggested one as a triangle."""
        painter = qt.QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()

    def mousePressEvent(self, event: qt.QMouseEvent) -> None:
        """Go to the slice, and to the muscle of that row."""
        self._go(event)

    def mouseMoveEvent(self, event: qt.QMouseEvent) -> None:
        """With the button held, go on going."""
        if event.buttons() & qt.Qt.LeftButton:
            self._go(event)

    def resizeEvent(self, event: qt.QResizeEvent) -> None:
        """The picture is made for one width."""
        self._pixmap = None

    def event(self, event: qt.QEvent) -> bool:
        """A tooltip for the cell under the mouse."""
        if event.type() == qt.QEvent.ToolTip:
            cell = self.cell_at(event.pos().x(), event.pos().y())
            qt.QToolTip.showText(event.globalPos(), self._tell(*cell) if cell else self.toolTip, self)
            return True
        return qt.QWidget.event(self, event)

    def _go(self, event: qt.QMouseEvent) -> None:
        cell = self.cell_at(event.pos().x(), event.pos().y())
        if cell is not None and event.button() != qt.Qt.RightButton:
            self.clicked.emit(self.content.ids[cell[0]], cell[1])

    def _paint(self, painter: qt.QPainter) -> None:
        palette = self.palette
        if self._pixmap is None:
            self._pixmap = self._picture(palette.color(qt.QPalette.Base))
        painter.setPen(palette.color(qt.QPalette.WindowText))
        for row, name in enumerate(self.content.names):
            top = MARK + row * (ROW_HEIGHT + GAP)
            shown = self.fontMetrics().elidedText(name, qt.Qt.ElideRight, LONGEST_NAME)
            painter.drawText(0, top, self._left() - NAME_SPACE, ROW_HEIGHT, self._name_alignment(), shown)
        painter.drawPixmap(self._left(), MARK, self._pixmap)
        if self.content.rows:
            self._paint_marks(painter, palette)

    def _paint_marks(self, painter: qt.QPainter, palette: qt.QPalette) -> None:
        bottom = MARK + len(self.content.rows) * (ROW_HEIGHT + GAP) - GAP
        if self.content.suggested is not None:
            x = round(self._x_of(self.content.suggested))
            painter.setPen(qt.Qt.NoPen)
            painter.setBrush(qt.QBrush(palette.color(qt.QPalette.Highlight)))
            corners = [qt.QPoint(x - MARK, 0), qt.QPoint(x + MARK, 0), qt.QPoint(x, MARK + 1)]
            painter.drawPolygon(qt.QPolygon(corners))
        if self.content.current is not None:
            x = round(self._x_of(self.content.current))
            painter.setPen(qt.QPen(palette.color(qt.QPalette.WindowText), 1))
            painter.drawLine(x, MARK - 2, x, bottom + 2)

    def _picture(self, base: qt.QColor) -> qt.QPixmap:
        content = self.content
        background = base.redF(), base.greenF(), base.blueF()
        rgb = strip_picture(content.rows, content.slices, self._cells_width(), ROW_HEIGHT, GAP, background)
        pixmap = qt.QPixmap()
        if rgb.size and content.slices:
            pixmap.loadFromData(b"P6\n%d %d\n255\n" % (rgb.shape[1], rgb.shape[0]) + rgb.tobytes())
        return pixmap

    def _name_alignment(self) -> int:
        return int(qt.Qt.AlignRight) | int(qt.Qt.AlignVCenter)

    def _left(self) -> int:
        """Where the cells begin."""
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(name) for name in self.content.names), default=0)
        return min(LONGEST_NAME, widest) + NAME_SPACE

    def _cells_width(self) -> int:
        return max(1, self.width - self._left() - MARK)

    def _x_of(self, slice_index: int) -> float:
        return self._left() + pixel_of(slice_index, self.content.slices, self._cells_width())
