"""Self-tests of the logic for scripts in a real Slicer, also with --no-main-window."""

from __future__ import annotations

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer

sys.path.append(str(Path(__file__).resolve().parent))
from self_test_case import MODULE, SHAPE, STAND_IN, SelfTestCase, disc


def computing_is_installed() -> bool:
    """Whether the real worker can run here."""
    from MusclePropLib.gui.packages import missing_packages

    return not missing_packages(MODULE / "Resources" / "requirements.txt")


class LogicTest(SelfTestCase):
    def nodes(self, name="calf"):
        from MusclePropLib.scene.segments import create_default_segments

        volume = self.add_volume(name)
        segmentation = create_default_segments(volume)
        array = np.zeros(SHAPE, np.uint8)
        array[4], array[15] = disc((30, 40), 9), disc((30, 44), 7)
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, "GM", volume)
        return volume, segmentation

    def logic(self, command=None):
        from MusclePropLib.gui.channel import QProcessChannel
        from MusclePropLib.gui.logic import PropagationLogic

        channel = QProcessChannel(command)
        logic = PropagationLogic(channel)
        self._closing += [lambda: channel.wait(10), logic.close]
        return logic

    def filled(self, nodes):
        array = slicer.util.arrayFromSegmentBinaryLabelmap(nodes[1], "GM", nodes[0])
        return np.flatnonzero(array.any(axis=(1, 2))).tolist()

    def test_propagate_with_the_stand_in(self):
        nodes, events = self.nodes(), []
        summary = self.logic([sys.executable, str(STAND_IN)]).propagate(*nodes, onEvent=events.append)
        self.assertEqual([m["name"] for m in summary["muscles"]], ["GM"])
        self.assertEqual(events[-1].name, "result")
        self.assertEqual(self.filled(nodes), [4, 15])

    def test_failure_is_raised(self):
        nodes = self.nodes("fault")
        with self.assertRaisesRegex(RuntimeError, "ZeroDivisionError"):
            self.logic([sys.executable, str(STAND_IN)]).propagate(*nodes)

    def test_slicers_own_fill_between_slices_runs_beside_the_worker(self):
        from MusclePropLib.core.rivals import fill
        from MusclePropLib.core.rivals.isolated import run_isolated

        stack = np.zeros((3, *SHAPE[1:]), np.uint8)
        stack[0], stack[2] = disc((30, 34), 12), disc((30, 34), 8)
        python = shutil.which("PythonSlicer") or sys.executable
        filled = run_isolated(fill.__name__, {"stack": stack}, 120, python)["stack"]
        self.assertTrue(np.count_nonzero(stack[2]) < np.count_nonzero(filled[1]) < np.count_nonzero(stack[0]))

    def test_logic_of_the_module(self):
        from MuscleProp import MusclePropLogic

        logic = MusclePropLogic()
        self.assertTrue(callable(logic.propagate) and callable(logic.propagateFolder))
        self.assertIs(logic.getParameterNode().parameterNode, logic.getParameterNode().parameterNode)
        logic.close()

    @unittest.skipUnless(computing_is_installed(), "PyTorch and the other packages are not installed")
    def test_propagate_with_the_real_worker(self):
        nodes = self.nodes()
        summary = self.logic().propagate(*nodes, time_limit=10, device="cpu")
        self.assertTrue(set(range(4, 16)) <= set(self.filled(nodes)), self.filled(nodes))
        self.assertGreater(summary["muscles"][0]["volume_ml"], 0)

    @unittest.skipUnless(computing_is_installed(), "PyTorch and the other packages are not installed")
    def test_folder(self):
        data = MODULE / "Resources" / "SampleData"
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in", Path(folder) / "out"
            source.mkdir()
            for name in ("SimulatedCalf.nrrd", "SimulatedCalf-annotations.seg.nrrd"):
                shutil.copy(data / name, source / name)
            rows = self.logic().propagateFolder(source, target, onEvent=None, time_limit=10, device="cpu")
            self.assertEqual({row["muscle"] for row in rows}, {"GM", "GL", "SOL"})
            self.assertTrue((target / "SimulatedCalf-muscles.seg.nrrd").is_file())
