"""PythonQt's manners over PySide6 objects: properties are attributes, and nothing is there that is not there."""

from __future__ import annotations

import enum
import json
import sys
import traceback
from inspect import Parameter, signature
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
import shiboken6
from PySide6 import QtCore

API = json.loads(Path(__file__).with_name("slicer_api.json").read_text(encoding="utf-8"))
VIRTUALS = (
    *("event", "eventFilter", "paintEvent", "resizeEvent", "keyPressEvent", "leaveEvent", "closeEvent"),
    *("mousePressEvent", "mouseMoveEvent", "mouseReleaseEvent", "wheelEvent", "sizeHint"),
)
FIRST_OF_TWO = ("getSaveFileName", "getOpenFileName", "getOpenFileNames")  # PySide6 gives the filter as well
HIDDEN_BY_STATICS = ("singleShot",)  # QTimer's property of that name cannot be set
slot_errors: list[str] = []
_proxies: WeakValueDictionary[int, Wrapped] = WeakValueDictionary()
_classes: dict[type, type] = {}
_connections: dict[int, list[tuple]] = {}


class WrappedMeta(type):
    """Class attributes: enums and static functions of the Qt class, and its methods to be called with an instance."""

    def __getattr__(cls, name: str):
        qt_class = cls.__dict__.get("_qt") or next(c._qt for c in cls.__mro__ if "_qt" in c.__dict__)
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(qt_class, name)  # AttributeError if the real class lacks it
        if not callable(value) or isinstance(value, type):
            return value

        def call(*args):
            if args and isinstance(args[0], Wrapped) and isinstance(args[0]._real, qt_class):
                return wrap(getattr(qt_class, name)(args[0]._real, *map(unwrap, args[1:])))
            result = value(*map(unwrap, args))
            return wrap(result[0] if name in FIRST_OF_TWO else result)

        return call


class Wrapped(metaclass=WrappedMeta):
    """One Qt object as PythonQt shows it. No inheritance between the wrappers of Qt's classes, as there."""

    _qt: type = QtCore.QObject

    def __init__(self, *args):
        object.__setattr__(self, "_real", _construct(self, [unwrap(a) for a in args]))
        _remember(self)

    def __getattr__(self, name: str):
        real = self.__dict__.get("_real")
        if name.startswith("__") or real is None:
            raise AttributeError(name)
        _check_alive(self, real)
        if isinstance(real, QtCore.QObject):
            found, value = _property(real, name)
            if found:
                return value
            if _signatures(real, name):
                return SignalProxy(real, name)
        if not _has_method(real, name):
            raise AttributeError(f"{type(real).__name__} has no attribute named '{name}'")
        method = getattr(real, name)
        return lambda *args: wrap(method(*(unwrap(a) for a in args)))

    def __setattr__(self, name: str, value) -> None:
        real = self._real
        _check_alive(self, real)
        name = "objectName" if name == "name" else name
        if isinstance(real, QtCore.QObject) and _may_write(real, name):
            _check_value(value, f"{type(real).__name__}.{name}")
            if not real.setProperty(name, unwrap(value)):
                raise ValueError(f"{type(real).__name__}.{name} cannot be set to {value!r}")
        elif type(self) in _classes.values():
            raise AttributeError(f"{type(real).__name__} has no writable attribute named '{name}'")
        else:
            object.__setattr__(self, name, value)

    def __bool__(self) -> bool:
        return shiboken6.isValid(self._real)

    def __eq__(self, other) -> bool:
        return isinstance(other, Wrapped) and (self._real is other._real or _same_value(self._real, other._real))

    def __hash__(self) -> int:
        return hash(id(self._real))

    def __repr__(self) -> str:
        return f"<{type(self._real).__name__}>"

    def inherits(self, name: str) -> bool:
        return any(c.__name__ == name for c in type(self._real).__mro__)

    def className(self) -> str:
        return type(self._real).__name__

    def delete(self) -> None:
        shiboken6.delete(self._real)

    def connect(self, signal: str, slot) -> bool:
        """As PythonQt: a signal that the class lacks is printed and answered with False."""
        _check_alive(self, self._real)
        return _connect(self._real, signal, slot)

    def disconnect(self, signal: str, slot) -> bool:
        return _disconnect(self._real, signal, slot)


class SignalProxy:
    """A signal taken as an attribute: one overload, the first."""

    def __init__(self, real, name: str) -> None:
        self._real, self._signature = real, _signatures(real, name)[0]
        self._name = name

    def connect(self, slot) -> bool:
        return _connect(self._real, self._signature, slot)

    def disconnect(self, slot) -> bool:
        return _disconnect(self._real, self._signature, slot)

    def emit(self, *args) -> None:
        getattr(self._real, self._name).emit(*map(unwrap, args))

    def __call__(self, *args) -> None:
        self.emit(*args)


def wrap(value):
    """What PythonQt would hand to Python."""
    if isinstance(value, (list, tuple)):
        return tuple(map(wrap, value))
    qt_class = type(value)
    if not isinstance(value, shiboken6.Object) or isinstance(value, enum.Enum):
        return value
    known = _proxies.get(_key(value))
    if known is not None and known._real is value:
        return known
    owner = getattr(value, "_proxy", None)
    if owner is not None:
        return owner
    proxy = object.__new__(wrapper_of(qt_class))
    object.__setattr__(proxy, "_real", value)
    _remember(proxy)
    return proxy


def unwrap(value):
    """What PySide6 takes."""
    if isinstance(value, Wrapped):
        _check_alive(value, value._real)
        return value._real
    if isinstance(value, (list, tuple)):
        return [unwrap(v) for v in value]
    return value


def wrapper_of(qt_class: type) -> type:
    """The wrapper class of a Qt class; always the same one."""
    qt_class = getattr(qt_class, "python_of", qt_class)
    if qt_class not in _classes:
        _classes[qt_class] = WrappedMeta(qt_class.__name__, (Wrapped,), {"_qt": qt_class})
    return _classes[qt_class]


def call_slot(slot, args) -> None:
    """Call with as many arguments as the slot takes; what it raises is printed and the application goes on."""
    try:
        slot(*args[: _accepted(slot)])
    except Exception:
        slot_errors.append(traceback.format_exc())
        sys.excepthook(*sys.exc_info())


def _construct(proxy: Wrapped, args):
    """The Qt object; for Python subclasses one whose virtual methods call theirs."""
    cls = type(proxy)
    if cls in _classes.values():
        return cls._qt(*args)
    qt_class = next(c._qt for c in cls.__mro__ if "_qt" in c.__dict__)
    own = {n for c in cls.__mro__ if c not in _classes.values() and c is not Wrapped for n in c.__dict__}
    overrides = {name: _override(name) for name in VIRTUALS if name in own}
    subclass = type(cls.__name__, (qt_class,), {**overrides, "python_of": qt_class})
    real = subclass.__new__(subclass)
    real._proxy = proxy  # set before the constructor, which may already send events
    subclass.__init__(real, *args)
    return real


def _override(name: str):
    def method(self, *args):
        try:
            result = unwrap(getattr(type(self._proxy), name)(self._proxy, *map(wrap, args)))
        except Exception:
            slot_errors.append(traceback.format_exc())
            sys.excepthook(*sys.exc_info())
            return False if name in ("event", "eventFilter") else None
        return bool(result) if name in ("event", "eventFilter") else result

    return method


def _property(real, name: str):
    """(found, value) of a static or dynamic property."""
    name = "objectName" if name == "name" else name
    if _may_read(real, name) or name in (bytes(n.data()).decode() for n in real.dynamicPropertyNames()):
        return True, wrap(real.property(name))
    return False, None


def _may_read(real, name: str) -> bool:
    api = _api(real)
    if name in api["properties"]:
        return True
    return real.metaObject().indexOfProperty(name) >= 0 and not _own_property(real, name)


def _may_write(real, name: str) -> bool:
    api = _api(real)
    if name in api["properties"]:
        return api["properties"][name]
    index = real.metaObject().indexOfProperty(name)
    if name in HIDDEN_BY_STATICS:
        return False
    return index >= 0 and real.metaObject().property(index).isWritable() and not _own_property(real, name)


def _own_property(real, name: str) -> bool:
    """Whether only the stand-in class has it, not Qt's class below."""
    return _qt_meta(real).indexOfProperty(name) < 0


def _has_method(real, name: str) -> bool:
    if isinstance(real, QtCore.QObject) and (name in _api(real)["methods"] or hasattr(Wrapped, name)):
        return True
    base = _qt_base(type(real))
    return callable(getattr(base, name, None)) and not name.startswith("_")


def _api(real) -> dict:
    """Merged over the real class and its bases up to Qt's."""
    merged = {"properties": {}, "methods": [], "signals": []}
    name = next((c.__name__ for c in type(real).__mro__ if c.__name__ in API), None)
    while name in API:
        entry = API[name]
        merged["properties"] = {**entry["properties"], **merged["properties"]}
        merged["methods"] += entry["methods"]
        merged["signals"] += entry["signals"]
        name = entry["base"]
    return merged


def _qt_base(cls: type) -> type:
    return next(c for c in cls.__mro__ if c.__module__.startswith("PySide6"))


def _qt_meta(real) -> QtCore.QMetaObject:
    """Of Qt's own class; by way of the object, for PySide6 lets static ones die."""
    meta, name = real.metaObject(), _qt_base(type(real)).__name__
    while meta.className() != name:
        meta = meta.superClass()
    return meta


def _signatures(real, name: str) -> list[str]:
    """Signatures of the signals of that name, the real class's where it is a stand-in."""
    own = [s for s in _api(real)["signals"] if s.split("(")[0] == name]
    if own:
        return own
    meta, found = _qt_meta(real), []
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.methodType() == QtCore.QMetaMethod.MethodType.Signal and bytes(method.name().data()).decode() == name:
            found.append(bytes(method.methodSignature().data()).decode())
    return found


def _connect(real, signal: str, slot) -> bool:
    signal = bytes(QtCore.QMetaObject.normalizedSignature(signal).data()).decode()
    if signal not in _signatures(real, signal.split("(")[0]):
        print(f"QObject::connect: {type(real).__name__} has no signal {signal}", file=sys.stderr)
        return False

    def dispatch(*args):
        call_slot(slot, [wrap(a) for a in args])

    name = signal.split("(")[0]
    bound = getattr(real, name)
    if signal not in _api(real)["signals"]:
        bound = _overload(bound, signal)
    bound.connect(dispatch)
    _connections.setdefault(_key(real), []).append((signal, slot, bound, dispatch))
    return True


def _overload(bound, signal: str):
    """PySide6 takes the first overload unless it is told the signature."""
    arguments = signal[signal.index("(") + 1 : -1]
    try:
        return bound[arguments] if arguments else bound
    except (KeyError, IndexError, TypeError):
        return bound


def _disconnect(real, signal: str, slot) -> bool:
    signal = bytes(QtCore.QMetaObject.normalizedSignature(signal).data()).decode()
    connections = _connections.get(_key(real), [])
    for entry in [c for c in connections if c[0] == signal and c[1] == slot]:
        entry[2].disconnect(entry[3])
        connections.remove(entry)
        return True
    return False


def _accepted(slot) -> int | None:
    try:
        parameters = signature(slot).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD) for p in parameters)


def _check_value(value, what: str) -> None:
    """PythonQt makes the text 'None' of None and refuses NumPy's numbers but those that are Python's as well."""
    if value is None or (isinstance(value, np.floating) and not isinstance(value, float)):
        raise ValueError(f"{what} cannot be set to {value!r}")


def _check_alive(proxy: Wrapped, real) -> None:
    if not shiboken6.isValid(real):
        raise ValueError(f"Trying to access a destroyed {type(real).__name__} object")


def _same_value(a, b) -> bool:
    return not isinstance(a, QtCore.QObject) and type(a) is type(b) and a == b


def _key(real) -> int:
    return shiboken6.getCppPointer(real)[0]


def _remember(proxy: Wrapped) -> None:
    _proxies[_key(proxy._real)] = proxy
