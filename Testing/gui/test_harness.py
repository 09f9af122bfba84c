"""The harness has PythonQt's manners, and no more than the real classes have."""

import inspect

import pytest


def test_properties_are_attributes_and_never_called(app):
    import qt

    label = qt.QLabel("calf")
    assert label.text == "calf"
    with pytest.raises(TypeError):
        label.text()
    label.setText("leg")
    label.text = label.text + "s"
    assert label.text == "legs"
    assert label.name == label.objectName == ""


def test_what_the_class_lacks_is_not_there(app):
    import qt

    label = qt.QLabel()
    with pytest.raises(AttributeError):
        label.checked  # noqa: B018
    with pytest.raises(AttributeError):
        label.checked = True
    assert not hasattr(label, "set_text")
    with pytest.raises(AttributeError):
        qt.QLabelPlus  # noqa: B018
    with pytest.raises(AttributeError):
        qt.QTimer().singleShot = True


def test_wrappers_do_not_inherit(app):
    import qt

    label = qt.QLabel()
    assert not isinstance(label, qt.QWidget)
    assert label.inherits("QWidget") and label.className() == "QLabel"


def test_signals(app, capsys):
    import qt

    heard = []
    button = qt.QPushButton("go")
    assert button.connect("clicked(bool)", lambda checked: heard.append(checked))
    assert button.connect("clicked(bool)", lambda: heard.append("none"))
    button.clicked.connect(lambda i=3: heard.append(i))
    assert not button.connect("pressedHard()", heard.append)
    assert "no signal pressedHard" in capsys.readouterr().err
    button.click()
    assert heard == [False, "none", False]


def test_slot_that_raises_is_printed_and_noted(app, capsys):
    import qt
    from harness import wrapping

    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert len(wrapping.slot_errors) == 1
    wrapping.slot_errors.clear()


def test_destroyed_object_says_so(app):
    import qt

    label = qt.QLabel()
    label.delete()
    assert not label and label is not None
    with pytest.raises(ValueError, match="destroyed QLabel"):
        label.text  # noqa: B018


def test_python_subclass_paints_and_calls_the_base(app):
    import qt

    calls = []

    class Canvas(qt.QWidget):
        def __init__(self, parent=None):
            super().__init__(parent)
            self.anything = 1

        def paintEvent(self, event):
            painter = qt.QPainter(self)
            calls.append(self.width)
            painter.end()

        def event(self, event):
            return qt.QWidget.event(self, event)

    canvas = Canvas()
    canvas.resize(50, 20)
    canvas._real.grab()
    assert calls == [50] and canvas.anything == 1
    with pytest.raises(AttributeError):
        super(Canvas, canvas).paintEvent  # noqa: B018


def test_stand_ins_offer_nothing_that_the_real_classes_lack(app):
    from harness import widgets
    from harness.wrapping import API, _qt_base

    for stand_in in widgets.CLASSES:
        known, name = set(), stand_in.__name__
        while name in API:
            known |= {*API[name]["properties"], *API[name]["methods"]}
            known |= {signal.split("(")[0] for signal in API[name]["signals"]}
            name = API[name]["base"]
        used = {n for n, v in vars(stand_in).items() if n.islower() or n[:1].islower()} - {"addNode"}
        extra = {n for n in used if n not in known and not hasattr(_qt_base(stand_in), n) and not n.startswith("_")}
        assert not extra, f"{stand_in.__name__}: {extra}"


def test_stand_in_refuses_what_only_the_stand_in_has(app):
    import slicer

    combo = slicer.qMRMLNodeComboBox()
    assert inspect.ismethod(combo._real.addNode)
    with pytest.raises(AttributeError):
        combo.addNode  # noqa: B018
    with pytest.raises(AttributeError):
        combo.currentText  # noqa: B018


def test_node_selector_follows_the_scene(app):
    import slicer
    from slicer_scene import add_volume

    combo = slicer.qMRMLNodeComboBox()
    combo.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    combo.noneEnabled = True
    combo.setMRMLScene(slicer.mrmlScene)
    heard = []
    combo.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    first, second = add_volume(), add_volume()
    assert combo.currentNode() is None and combo.currentNodeID == ""
    combo.setCurrentNode(second)
    slicer.mrmlScene.RemoveNode(second)
    assert combo.currentNode() is first, "as the real one, it picks another node"
    assert heard == [second, first]


def test_values_that_pythonqt_would_spoil_are_refused(app):
    import numpy as np
    import qt

    with pytest.raises(ValueError, match="None"):
        qt.QLabel().text = None
    with pytest.raises(ValueError, match="1"):
        qt.QDoubleSpinBox().value = np.float32(1)
    qt.QDoubleSpinBox().value = 1.5
