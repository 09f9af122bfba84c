"""The .ui file names only what the real widgets have, explains every widget, and fits the parameter node."""

from xml.etree import ElementTree

import pytest

PLAIN = {"QLabel": "text", "QPushButton": "text", "QCheckBox": "text"}


@pytest.fixture
def tree(app):
    from driver import UI

    return ElementTree.parse(UI)


def widgets(tree):
    return [(w.get("class"), w.get("name"), w) for w in tree.iter("widget")]


def properties(widget):
    return {p.get("name"): p for p in widget.findall("property")}


def known_properties(name):
    """Of the real class, up to Qt's own."""
    from harness.wrapping import API
    from PySide6 import QtWidgets

    known = set()
    while name in API:
        known |= set(API[name]["properties"])
        name = API[name]["base"]
    cls = getattr(QtWidgets, name)
    widget = type(name, (cls,), {"paintEvent": lambda *_: None})()  # abstract ones can only be made so
    meta = widget.metaObject()
    return known | {meta.property(i).name() for i in range(meta.propertyCount())}


def test_every_property_is_one_of_the_real_class(tree):
    for kind, name, widget in widgets(tree):
        static = {n for n, p in properties(widget).items() if p.get("stdset") != "0"}
        assert static <= known_properties(kind), name


def test_every_widget_has_a_tooltip(tree):
    for _, name, widget in widgets(tree):
        if name != "MusclePropPanel":  # the whole
            assert _text(widget, "toolTip"), name


def test_parameter_names_are_those_of_the_parameter_node(tree):
    import typing

    from MusclePropLib.gui.parameters import MusclePropParameters

    named = {_text(w, "SlicerParameterName") for _, _, w in widgets(tree)} - {""}
    assert named == set(typing.get_type_hints(MusclePropParameters))


def test_connections_are_between_real_signals_and_slots(tree):
    from harness.wrapping import API

    classes = {name: kind for kind, name, _ in widgets(tree)}
    for connection in tree.iter("connection"):
        assert connection.findtext("signal") in API[classes[connection.findtext("sender")]]["signals"]
        slot = connection.findtext("slot").split("(")[0]
        assert slot in API[classes[connection.findtext("receiver")]]["methods"]


def test_custom_widgets_are_declared(tree):
    declared = {c.findtext("class") for c in tree.iter("customwidget")}
    used = {kind for kind, _, _ in widgets(tree) if kind.startswith(("qMRML", "ctk"))}
    assert declared == used


def _text(widget, name="text"):
    found = properties(widget).get(name)
    return found[0].text or "" if found is not None and len(found) else ""
