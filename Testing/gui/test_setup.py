"""Installing what is missing: asked for, shown, cancellable, and never at the cost of Slicer's own packages."""

import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from MusclePropLib.gui import packages
from MusclePropLib.gui.leash import leashed


def test_requirements_file_is_read(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# comment\n\nscikit-image>=0.22  # why\nnumpy\n", encoding="utf-8")
    assert packages.read_requirements(path) == [("scikit-image", ">=0.22"), ("numpy", "")]


def test_missing_and_outdated_are_found_without_importing(tmp_path, monkeypatch):
    path = tmp_path / "requirements.txt"
    path.write_text("numpy>=1\nnumpy>=999\nno-such-package-of-muscles\n", encoding="utf-8")
    monkeypatch.setattr(packages, "torch_is_whole", lambda: False)
    before = set(sys.modules)
    assert packages.missing_packages(path) == ["torch", "numpy", "no-such-package-of-muscles"]
    assert "torch" not in set(sys.modules) - before


def test_half_installed_torch_is_not_taken_for_whole(tmp_path, monkeypatch):
    """An interrupted installation leaves a folder that imports as an empty namespace."""
    (tmp_path / "torch").mkdir()
    info = tmp_path / "torch-2.9.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0\n", encoding="utf-8")
    code = f"""
import sys
import packaging.requirements
from MusclePropLib.gui import packages
sys.path[:] = [{str(tmp_path)!r}]  # no other torch
print(packages.torch_is_whole())
"""
    root = packages.__file__.split("MusclePropLib")[0]
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout.strip() == "False"


def test_slicers_own_packages_are_pinned(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("tqdm\n", encoding="utf-8")
    light, torch, rest = packages.install_commands(["torch", "tqdm"], requirements, tmp_path)
    assert light[-1].startswith("light-the-torch")
    assert torch[2] == "install" and packages.TORCH in torch
    assert rest[-2:] == ["-r", str(requirements)]
    pins = Path(rest[rest.index("-c") + 1]).read_text(encoding="utf-8").split()
    assert f"numpy=={importlib.metadata.version('numpy')}" in pins
    assert f"SimpleITK=={importlib.metadata.version('SimpleITK')}" in pins
    assert len(packages.install_commands(["tqdm"], requirements, tmp_path)) == 1


def test_what_finds_torch_stays_beside_slicers_packages(tmp_path):
    """light-the-torch wants an older pip than Slicer's, which pip would put in its place."""
    light, *_, torch = packages.install_commands(["torch"], tmp_path, tmp_path)
    beside = Path(light[light.index("--target") + 1])
    assert beside.parent == tmp_path and torch[1] == str(beside)
    module = beside / "light_the_torch"
    module.mkdir()
    (module / "__init__.py").touch()
    (module / "__main__.py").write_text("import sys; print(sys.argv[1:])", encoding="utf-8")
    with subprocess.Popen(leashed(torch), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.read().strip() == str(torch[2:])


def test_half_a_torch_is_replaced_without_what_it_depends_on(tmp_path, monkeypatch):
    """That is Slicer's numpy, which pip would install again."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin=None))
    _, again, rest = packages.install_commands(["torch"], tmp_path, tmp_path)
    assert {"--ignore-installed", "--no-deps", packages.TORCH} <= set(again) and "torchvision" not in again
    assert not [option for option in rest if option.startswith("--")]


def test_an_old_torch_is_replaced_as_a_whole(tmp_path, monkeypatch):
    """By pip's own way: laid over it, the new one would leave two of them on record."""
    (tmp_path / "version.py").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.2.0" if name == "torch" else version(name))
    assert packages.missing_packages(Path(__file__).parents[2] / "MuscleProp/Resources/requirements.txt")[0] == "torch"
    assert len(packages.install_commands(["torch"], tmp_path, tmp_path)) == 2


def test_torch_is_as_new_as_on_the_command_line():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert packages.TORCH in project["dependencies"]


class Asked:
    """Answers the question and notes it."""

    def __init__(self, answer):
        self.answer, self.texts = answer, []

    def __call__(self, text, **_):
        self.texts.append(text)
        return self.answer


@pytest.fixture
def lacking(app, tmp_path, monkeypatch):
    """A panel that lacks a package until `arrived` exists; its installation is the given Python code."""
    import qt
    import slicer
    from driver import STAND_IN, Driver

    from MusclePropLib.gui import setup

    arrived = tmp_path / "arrived"
    qt.QSettings().remove(setup.INTERRUPTED)
    monkeypatch.setattr(setup, "missing_packages", lambda path: [] if arrived.exists() else ["tqdm"])
    made = []

    def make(code, answer=True):
        asked = Asked(answer)
        monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", asked)
        scripts = [tmp_path / f"part-{len(made)}-{number}.py" for number in range(len(code))]
        for script, part in zip(scripts, code, strict=True):
            script.write_text(part, encoding="utf-8")
        monkeypatch.setattr(setup, "install_commands", lambda *_: [[sys.executable, str(s)] for s in scripts])
        made.append(Driver(tmp_path, [sys.executable, str(STAND_IN)]))
        made[-1].asked, made[-1].arrived = asked, arrived
        return made[-1]

    yield make
    for driver in made:
        driver.close()
    qt.QSettings().remove(setup.INTERRUPTED)


def test_where_there_is_no_torch_it_says_so_and_offers_nothing(lacking, monkeypatch):
    from MusclePropLib.gui import setup

    monkeypatch.setattr(setup, "missing_packages", lambda path: ["torch"])
    monkeypatch.setattr(setup, "torch_is_to_be_had", lambda: False)
    driver = lacking([])
    assert driver.ui.setupLabel.text.startswith("PyTorch is no longer made for Macs with Intel processors")
    assert driver.shown("setupFrame") and not driver.ui.installButton.enabled
    monkeypatch.setattr(setup, "torch_is_to_be_had", lambda: True)
    driver.panel.setup.check()
    assert driver.ui.installButton.enabled


def test_torch_is_to_be_had_but_on_intel_macs(monkeypatch):
    computers = [("darwin", "x86_64"), ("darwin", "arm64"), ("linux", "x86_64"), ("win32", "AMD64")]
    found = []
    for system, machine in computers:
        monkeypatch.setattr(packages, "sys", SimpleNamespace(platform=system))
        monkeypatch.setattr(packages, "platform", SimpleNamespace(machine=lambda machine=machine: machine))
        found.append(packages.torch_is_to_be_had())
    assert found == [False, True, True, True]


def test_asks_first(lacking):
    driver = lacking(["raise SystemExit('must not run')"], answer=False)
    driver.click("installButton")
    assert "tqdm" in driver.asked.texts[0]
    assert driver.ui.installButton.text == "Install"
    assert driver.shown("setupFrame")


def test_installs_step_by_step_and_the_panel_comes_to_life(lacking, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    steps = [
        "print('Collecting tqdm', flush=True); import time; time.sleep(1)",
        f"open({str(tmp_path / 'arrived')!r}, 'w')",
    ]
    driver = lacking(steps)
    assert "Install the missing packages" in driver.ui.propagateButton.toolTip
    driver.click("installButton")
    assert driver.ui.installButton.text == "Cancel"
    assert driver.shown("setupProgressBar")
    driver.until(lambda: driver.ui.setupLabel.text == "Collecting tqdm", "output is shown")
    driver.until(lambda: not driver.shown("setupFrame"), "the set-up goes")
    assert not list(Path(tempfile.gettempdir()).glob("muscleprop-install-*")), "nor is anything left of it"
    assert "Install" not in driver.ui.propagateButton.toolTip


def test_failure_is_told_and_can_be_tried_again(lacking, monkeypatch):
    import slicer

    told = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **more: told.append((text, more["detailedText"])))
    driver = lacking(["print('no such host: pypi'); raise SystemExit(3)", "raise SystemExit('must not run')"])
    driver.click("installButton")
    driver.until(lambda: told, "the failure is told")
    assert "no such host: pypi" in told[0][1]
    assert driver.ui.installButton.text == "Install" and driver.ui.installButton.enabled


def test_cancel(lacking, monkeypatch):
    import slicer

    told = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **_: told.append(text))
    driver = lacking(["import time; time.sleep(600)"])
    driver.click("installButton")
    driver.click("installButton")
    driver.until(lambda: driver.ui.installButton.text == "Install", "it is cancelled")
    assert not told, "that is what was asked for"


def test_cancel_ends_what_runs_below_a_launcher(lacking, tmp_path, monkeypatch):
    """An installed PythonSlicer starts Python and waits for it; pip must not go on by itself when that is killed."""
    from driver import running

    from MusclePropLib.gui import setup

    launcher, pids = tmp_path / "PythonSlicer", tmp_path / "pids"
    launcher.write_text(f'#!/bin/sh\n{sys.executable} "$@"\nexit $?\n', encoding="utf-8")
    launcher.chmod(0o755)
    code = f"""
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path({str(pids)!r}).write_text(f"{{os.getpid()}} {{child.pid}} ", encoding="utf-8")
time.sleep(600)
"""
    driver = lacking([code])
    commands = [[str(launcher), *c[1:]] for c in setup.install_commands()]
    monkeypatch.setattr(setup, "install_commands", lambda *_: commands)
    driver.click("installButton")
    driver.until(lambda: pids.exists() and pids.read_text(encoding="utf-8").endswith(" "), "pip is at work")
    driver.click("installButton")
    driver.until(
        lambda: not any(running(int(pid)) for pid in pids.read_text(encoding="utf-8").split()), "pip and its child end"
    )


def test_leash_runs_modules_as_python_does(tmp_path):
    (tmp_path / "said.py").write_text("import signal, sys; print(sys.argv[1:]); sys.exit(3)", encoding="utf-8")
    command = leashed([sys.executable, "-m", "said", "a", "-b"])
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.read().split() == [b"['a',", b"'-b']"]
        assert process.wait() == 3


def test_program_that_does_not_exist(lacking, monkeypatch):
    import slicer

    from MusclePropLib.gui import setup

    told = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, **more: told.append(text))
    driver = lacking([])
    monkeypatch.setattr(setup, "install_commands", lambda *_: [["/no/such/python"]])
    driver.click("installButton")
    driver.until(lambda: told, "the failure is told")


def test_interruption_is_remembered_over_a_restart(lacking):
    driver = lacking(["import time; time.sleep(600)"])
    driver.click("installButton")
    driver.panel.setup._installation.ended.disconnect(driver.panel.setup._ended)  # Slicer is killed
    driver.close()
    again = lacking([""])
    assert again.ui.setupLabel.text.startswith("The last installation was interrupted.")
