"""slicer.parameterNodeWrapper's stand-in: typed values on a real vtkMRMLScriptedModuleNode, connected with widgets."""

from __future__ import annotations

import enum
import typing
from pathlib import Path

import slicer
import vtk


class WithinRange:
    def __init__(self, minimum, maximum) -> None:
        self.minimum, self.maximum = minimum, maximum


def parameterNodeWrapper(cls):
    """Turn the annotated members into properties that live in the node."""
    cls.allParameters = {name: _split(hint) for name, hint in typing.get_type_hints(cls, include_extras=True).items()}
    cls._defaults = {name: getattr(cls, name, _default(kind)) for name, (kind, _) in cls.allParameters.items()}
    for name in cls.allParameters:
        setattr(cls, name, _property(name))
    cls.__init__, cls.connectGui, cls.disconnectGui = _init, _connect_gui, _disconnect_gui
    cls.connectParametersToGui = _connect_widgets
    return cls


def _split(hint):
    if typing.get_origin(hint) is typing.Annotated:
        kind, *annotations = typing.get_args(hint)
        return kind, next((a for a in annotations if isinstance(a, WithinRange)), None)
    return hint, None


def _default(kind):
    if issubclass(kind, slicer.vtkMRMLNode):
        return None
    return next(iter(kind)) if issubclass(kind, enum.Enum) else kind()


def _init(self, parameterNode) -> None:
    self.parameterNode = parameterNode
    self._guis: dict[int, tuple] = {}
    for name, value in self._defaults.items():
        if not parameterNode.HasParameter(name):
            setattr(self, name, value)


def _property(name: str):
    return property(lambda self: _read(self, name), lambda self, value: _write(self, name, value))


def _read(self, name: str):
    kind, _ = self.allParameters[name]
    if issubclass(kind, slicer.vtkMRMLNode):
        return self.parameterNode.GetNodeReference(name)
    if not self.parameterNode.HasParameter(name):
        _write(self, name, self._defaults[name])
    text = self.parameterNode.GetParameter(name)
    if issubclass(kind, enum.Enum):
        return kind[text]
    return text == "True" if kind is bool else kind(text)


def _write(self, name: str, value) -> None:
    """As strict as the real one: no numpy numbers, no value outside the range."""
    kind, within = self.allParameters[name]
    node = self.parameterNode
    if issubclass(kind, slicer.vtkMRMLNode):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name}: {value!r} is no {kind.__name__}")
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        return
    if not isinstance(value, kind) and not (kind is float and type(value) is int):
        raise TypeError(f"{name}: {value!r} is no {kind.__name__}")
    if within is not None and not within.minimum <= value <= within.maximum:
        raise ValueError(f"{name}: {value} is not within {within.minimum} to {within.maximum}")
    node.SetParameter(name, value.name if isinstance(value, enum.Enum) else str(value))


def _connect_gui(self, gui) -> int:
    """Looks at every widget; one that has been destroyed raises ValueError."""
    named = {widget.property("SlicerParameterName"): widget for widget in vars(gui).values()}
    return _connect_widgets(self, {name: widget for name, widget in named.items() if name})


def _connect_widgets(self, widgets) -> int:
    """Copies parameters to widgets, then follows both."""
    for name in widgets:
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}")
    connectors = {name: _Connector(self, name, widget) for name, widget in widgets.items()}
    tag = len(self._guis) + 1
    for connector in connectors.values():
        connector.write()
        connector.connect()

    def update(*_):
        for connector in connectors.values():
            connector.write()

    self._guis[tag] = (connectors, self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, update))
    return tag


def _disconnect_gui(self, tag) -> None:
    connectors, observer = self._guis.pop(tag, ({}, None))
    for connector in connectors.values():
        connector.disconnect()
    if observer is not None:
        self.parameterNode.RemoveObserver(observer)


class _Connector:
    """One widget and one parameter; the widget's class must be one that the real wrapper knows."""

    def __init__(self, wrapper, name: str, widget) -> None:
        self._wrapper, self._name, self._widget = wrapper, name, widget
        self._kind, self._within = wrapper.allParameters[name]
        self._busy = False
        self._signal, self._get, self._set = KINDS[widget.className().replace("qMRML", "qMRML")](self)

    def connect(self) -> None:
        getattr(self._widget, self._signal).connect(self._changed)

    def disconnect(self) -> None:
        getattr(self._widget, self._signal).disconnect(self._changed)

    def write(self) -> None:
        if not self._busy:
            self._busy = True
            self._set(_read(self._wrapper, self._name))
            self._busy = False

    def _changed(self, *_) -> None:
        if not self._busy:
            _write(self._wrapper, self._name, self._get())

    def enumeration(self):
        combo, items = self._widget, list(self._kind)
        label = getattr(self._kind, "label", lambda item: item.name)
        combo.clear()
        for item in items:
            combo.addItem(label(item))
        return "currentIndexChanged", lambda: items[combo.currentIndex], lambda v: combo.setCurrentIndex(items.index(v))

    def number(self):
        slider = self._widget
        slider.minimum, slider.maximum = self._within.minimum, self._within.maximum
        return "valueChanged", lambda: slider.value, lambda v: setattr(slider, "value", v)

    def flag(self):
        return "stateChanged", lambda: self._widget.checked, lambda v: setattr(self._widget, "checked", v)

    def node(self):
        combo = self._widget
        combo.nodeTypes = [self._kind.__name__]
        return "currentNodeChanged", lambda: combo.currentNode(), lambda v: combo.setCurrentNode(v)

    def path(self):
        edit = self._widget
        return "currentPathChanged", lambda: Path(edit.currentPath), lambda v: setattr(edit, "currentPath", str(v))


KINDS = {
    "QComboBox": _Connector.enumeration,
    "ctkSliderWidget": _Connector.number,
    "QCheckBox": _Connector.flag,
    "qMRMLNodeComboBox": _Connector.node,
    "ctkPathLineEdit": _Connector.path,
}
