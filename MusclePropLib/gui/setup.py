"""Section *Set-up*: shown only while something that the computing needs is missing."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from MusclePropLib.gui.faults import guarded
from MusclePropLib.gui.leash import leashed
from MusclePropLib.gui.packages import install_commands, missing_packages, torch_is_to_be_had
from MusclePropLib.gui.programs import Programs
from MusclePropLib.gui.work import Work

INTERRUPTED = "MuscleProp/InstallationUnderWay"  # in Slicer's settings: outlives a crash or a restart


class SetupSection:
    """`check` looks again; it is called when the module is shown."""

    def __init__(self, ui: Any, work: Work, requirements: Path) -> None:
        self._ui, self._work, self._requirements = ui, work, requirements
        self._installation = Programs()
        self._installation.changed.connect(self._update)
        self._installation.ended.connect(self._ended)
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of the installation under way
        self._missing: list[str] = []
        self._cancelled = False
        ui.installButton.connect("clicked(bool)", guarded(self._install_or_cancel))
        self.check()

    def check(self) -> None:
        """Find out what is missing and tell the others."""
        if self._installation.running:
            return
        self._missing = missing_packages(self._requirements)
        problem = _("Install the missing packages first, with the button at the top") if self._missing else ""
        self._work.setup_problem = problem
        if not self._missing:
            qt.QSettings().remove(INTERRUPTED)
        self._update()
        self._work.changed.emit()

    def close(self) -> None:
        """The panel goes."""
        self._installation.changed.disconnect(self._update)
        self._installation.ended.disconnect(self._ended)
        self._installation.close()
        self._tidy_up()

    def _install_or_cancel(self) -> None:
        if self._installation.running:
            self._cancelled = True
            self._installation.cancel()
        elif slicer.util.confirmOkCancelDisplay(self._question(), windowTitle="MuscleProp"):
            qt.QSettings().setValue(INTERRUPTED, True)
            self._cancelled = False
            self._folder = tempfile.TemporaryDirectory(prefix="muscleprop-install-", ignore_cleanup_errors=True)
            commands = install_commands(self._missing, self._requirements, Path(self._folder.name))
            self._installation.start(map(leashed, commands))
            self._update()

    def _question(self) -> str:
        text = _("These Python packages will be downloaded and installed into this Slicer: {names}.")
        text = text.format(names=", ".join(self._missing))
        if "torch" in self._missing:
            text += " " + _("PyTorch is large: 200 MB to 3 GB, depending on the graphics card.")
        return text + " " + _("You can go on working meanwhile.")

    def _update(self) -> None:
        running = self._installation.running
        self._ui.setupFrame.visible = running or bool(self._missing)
        self._ui.setupProgressBar.visible = running
        self._ui.installButton.text = _("Cancel") if running else _("Install")
        self._ui.installButton.enabled = running or not self._hopeless
        self._ui.setupLabel.text = self._installation.line if running else self._sentence()

    def _ended(self, failure: str) -> None:
        qt.QSettings().remove(INTERRUPTED)
        self._tidy_up()
        self.check()
        if failure and self._missing and not self._cancelled:
            logging.error(f"MuscleProp: installation failed\n{failure}")
            message = _("The installation did not succeed; the details say why.")
            slicer.util.errorDisplay(message, windowTitle="MuscleProp", detailedText=failure)

    def _tidy_up(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def _hopeless(self) -> bool:
        return "torch" in self._missing and not torch_is_to_be_had()

    def _sentence(self) -> str:
        if self._hopeless:
            return _(
                "PyTorch is no longer made for Macs with Intel processors, nor for Slicer built for these: MuscleProp "
                "cannot compute in this Slicer."
            )
        text = _("MuscleProp computes with Python packages that this Slicer does not have yet: {names}.")
        text = text.format(names=", ".join(self._missing))
        if slicer.util.settingsValue(INTERRUPTED, False, converter=slicer.util.toBool):
            text = _("The last installation was interrupted.") + " " + text
        return text
