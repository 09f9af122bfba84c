"""The annotation strip: what is painted, and what a click or a hovering mouse means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MusclePropLib.gui.strip_picture import Row, pixel_of, slice_at, strip_picture

WHITE = (1.0, 1.0, 1.0)
RED = (1.0, 0.0, 0.0)


def row_of(row, slices, width):
    return strip_picture([row], slices, width, 9, 3, WHITE)


@given(st.integers(1, 3000), st.integers(1, 700), st.data())
def test_no_drawn_slice_vanishes(slices, width, data):
    """Also where a volume has more slices than the strip has pixels."""
    drawn = data.draw(st.integers(0, slices - 1))
    picture = row_of(Row(RED, drawn={drawn}), slices, width)
    full = np.flatnonzero((picture[4] == (255, 0, 0)).all(axis=1))
    assert len(full) >= 1
    assert min(abs(full + 0.5 - pixel_of(drawn, slices, width))) <= max(1.0, 0.5 * width / slices + 0.5)


@given(st.integers(1, 300), st.integers(300, 700))
def test_a_click_in_the_middle_of_a_column_means_its_slice(slices, width):
    assert all(slice_at(pixel_of(t, slices, width), slices, width) == t for t in range(slices))


def test_states_look_different():
    row = Row(RED, drawn={0}, absent={1}, filled={2})
    picture = row_of(row, 4, 4)
    columns = {picture[:, i].tobytes() for i in range(4)}
    assert len(columns) == 4
    assert not (picture[0, 1] == picture[4, 1]).all(), "absent is a band"


def test_trust_is_strength():
    row = Row(RED, filled=range(4), confidence=(0.5, 0.7, 0.9, 1.0))
    strength = 255 - row_of(row, 4, 4)[4, :, 1].astype(int)
    assert (np.diff(strength) > 0).all()


def test_every_row_has_its_own_trust():
    rows = [Row(RED, filled=range(4), confidence=(trust,) * 4) for trust in (0.6, 0.95)]
    picture = strip_picture(rows, 4, 4, 9, 3, WHITE)
    assert (picture[4, :, 1] > picture[16, :, 1]).all(), "the lower one is stronger"


def test_empty_strip():
    assert strip_picture([], 0, 100, 9, 3, WHITE).shape == (0, 100, 3)


@pytest.fixture
def strip(app):
    from MusclePropLib.gui.strip import AnnotationStrip, StripContent

    strip = AnnotationStrip(lambda row, t: f"cell {row} {t}")
    strip.resize(400, 100)
    rows = [Row(RED, {3}), Row((0, 1, 0), {5}, {6})]
    strip.show_content(StripContent(["a", "b"], ["GM", "Soleus of the left leg, in full"], rows, 10, 4, 7))
    return strip


def cell_centre(strip, row, slice_index):
    from PySide6.QtCore import QPoint

    from MusclePropLib.gui.strip import GAP, MARK, ROW_HEIGHT

    return QPoint(round(strip._x_of(slice_index)), MARK + row * (ROW_HEIGHT + GAP) + ROW_HEIGHT // 2)


def test_click_tells_segment_and_slice(strip):
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    heard = []
    strip.clicked.connect(lambda *where: heard.append(where))
    QTest.mouseClick(strip._real, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0), cell_centre(strip, 1, 8))
    QTest.mouseClick(strip._real, Qt.MouseButton.RightButton, Qt.KeyboardModifier(0), cell_centre(strip, 1, 8))
    assert heard == [("b", 8)]
    assert strip.cell_at(2, 10) is None, "beside the cells there is nothing to click"


def test_tooltip_is_the_cells(strip):
    from PySide6 import QtCore, QtGui, QtWidgets

    strip._real.show()
    at = cell_centre(strip, 0, 3)
    event = QtGui.QHelpEvent(QtCore.QEvent.Type.ToolTip, at, strip._real.mapToGlobal(at))
    QtWidgets.QApplication.sendEvent(strip._real, event)
    assert QtWidgets.QToolTip.text() == "cell 0 3"


def test_paints_marks_where_they_belong(strip):
    image = strip._real.grab().toImage()
    x, y = round(strip._x_of(3)), cell_centre(strip, 0, 3).y()
    assert image.pixelColor(x, y).getRgb()[:3] == (255, 0, 0)
    line = image.pixelColor(round(strip._x_of(4)), y)
    assert line.lightness() < 60, "the current slice is a dark line"
    assert image.pixelColor(round(strip._x_of(7)), 1) == strip._real.palette().highlight().color()
