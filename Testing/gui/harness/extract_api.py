"""Write `slicer_api.json`: what the real qMRML and ctk classes offer to Python, read from their C++ headers.

    python Testing/gui/harness/extract_api.py SLICER_SOURCE CTK_SOURCE

PythonQt offers properties, signals, slots and Q_INVOKABLE methods of a class, and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

CLASSES = {
    "qMRMLWidget": "Libs/MRML/Widgets",
    "qMRMLNodeComboBox": "Libs/MRML/Widgets",
    "qMRMLSegmentEditorWidget": "Modules/Loadable/Segmentations/Widgets",
    "ctkCollapsibleButton": "Libs/Widgets",
    "ctkSliderWidget": "Libs/Widgets",
    "ctkPathLineEdit": "Libs/Widgets",
    "qMRMLPlotWidget": "Libs/MRML/Widgets",
    "qMRMLPlotView": "Libs/MRML/Widgets",
    "qMRMLLayoutManager": "Libs/MRML/Widgets",
    "ctkVTKChartView": "Libs/Visualization/VTK/Widgets",
}
SECTION = re.compile(r"^\s*(public slots|public Q_SLOTS|Q_SIGNALS|signals|public|protected|private)[^:]*:", re.M)


def api(header: str, name: str) -> dict:
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", header, flags=re.S)
    start = re.search(rf"class\s+(?:\w+\s+)?{name}\s*:\s*public\s+(\w+)", text)
    body = text[start.end() :]
    properties, methods, signals = {}, set(), set()
    for match in re.finditer(r"Q_PROPERTY\(\s*([\w:<> ]+?)\s+(\w+)\s+READ([^)]*)\)", body):
        properties[match[2]] = "WRITE" in match[3]
    parts = SECTION.split(body)
    for kind, section in zip(parts[1::2], parts[2::2], strict=False):
        if ("lots" in kind and "public" in kind) or "SLOTS" in kind:
            methods |= {n for n, _ in declarations(section)}
        elif "ignals" in kind or "SIGNALS" in kind:
            signals |= {f"{n}({types(a)})" for n, a in declarations(section)}
    methods |= set(re.findall(r"Q_INVOKABLE\s+(?:virtual\s+|static\s+)?[\w:<>*&\s]+?(\w+)\s*\(", body))
    return {
        "base": start[1],
        "properties": properties,
        "methods": sorted(methods),
        "signals": sorted(signals),
    }


def declarations(section: str):
    return re.findall(r"\bvoid\s+(\w+)\s*\(([^)]*)\)|\bbool\s+(\w+)\s*\(([^)]*)\)", section) and [
        (a or c, b or d)
        for a, b, c, d in re.findall(r"\bvoid\s+(\w+)\s*\(([^)]*)\)|\bbool\s+(\w+)\s*\(([^)]*)\)", section)
    ]


def types(arguments: str) -> str:
    """Argument types as a signal's signature has them: no names, no const &."""
    found = []
    for argument in filter(None, (a.strip() for a in arguments.split(","))):
        argument = re.sub(r"=.*", "", argument).strip()
        argument = re.sub(r"^const\s+(.*?)\s*&\s*\w*$", r"\1", argument)
        argument = re.sub(r"(\*|\s)\s*[a-zA-Z_]\w*$", r"\1", argument).replace(" ", "")
        found.append(argument)
    return ",".join(found)


def main() -> None:
    slicer, ctk = map(Path, sys.argv[1:3])
    found = {}
    for name, folder in CLASSES.items():
        root = ctk if name.startswith("ctk") else slicer
        found[name] = api((root / folder / f"{name}.h").read_text(encoding="utf-8"), name)
    target = Path(__file__).with_name("slicer_api.json")
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
