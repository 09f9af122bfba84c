"""Waiting times of the Slicer module, on the harness of Testing/gui: what the expert feels, measured.

    python Testing/benchmarks/slicer_panel.py [preview|cancel|handover|fullgrid|accept]

writes slicer_panel.json beside itself, one sentence each. preview: from the click on Propagate to the first preview
node, with a warm worker, on 140 x 300 x 400 voxels, and the longest time that the event loop stood still meanwhile.
cancel: fifty times from the click on Cancel, at any moment of the computing, to idle, and what processes are left.
handover: the longest step in which the job of a full grid is written and its result looked through, with slices across
each of its axes. fullgrid: the longest time that the event loop stands still on the full reconstruction grid of 1372 x
632 x 2270 voxels, on which three muscles are filled and hundreds of slices drawn across each of its axes: after a
stroke, from the click on Propagate until the job is handed over, from the click on Cancel until its files are gone,
from the click on Measure until the figures are there, and from the click on Report until all is handed over. accept:
three muscles into segments on that grid.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("slicer_panel.json")
sys.path[:0] = [str(REPOSITORY / p) for p in (".", "Testing", "Testing/gui", "MuscleProp")]

SHAPE = (140, 300, 400)
FULL_GRID = (2270, 632, 1372)
CANCELS = 50
LATEST_CANCEL = 6.0  # seconds after the click on Propagate


def start(shape=SHAPE, command=None, name="calf"):
    """A panel on a fresh scene."""
    import slicer
    import slicer_scene
    from harness import application

    slicer_scene.new_scene()
    slicer_scene.add_slice_views()
    application.install(slicer.app.applicationLogic)
    from driver import Driver

    from MusclePropLib.jobs.channel import worker_command

    requirements = Path(tempfile.mkdtemp()) / "requirements.txt"
    requirements.write_text("", encoding="utf-8")
    return Driver(requirements, command or worker_command(sys.executable), shape, name)


def preview() -> None:
    driver = start()
    rng = np.random.default_rng(0)
    import slicer

    slicer.util.updateVolumeFromArray(driver.volume, rng.integers(0, 255, SHAPE, dtype=np.uint8))
    driver.click("createSegmentsButton")
    driver.draw({name: (20, 60, 100) for name in ("GM", "GL", "SOL")}, radius=12)
    driver.parameters.timeLimit = 5.0
    driver.click("propagateButton")
    driver.until_done()  # the worker is warm now
    driver.click("discardButton")
    for _ in range(3):
        standstill = Standstill()
        driver.click("propagateButton")
        click = standstill.lap()
        while driver.session.preview_node_id is None and driver.session.busy:
            driver.qt_events()
            standstill.lap()
            time.sleep(0.001)
        tell(
            f"first preview after {standstill.total():.2f} s; the click took {click}; "
            f"longest standstill of the event loop after it {standstill.longest()}"
        )
        driver.click("propagateButton") if driver.session.busy else driver.click("discardButton")
        driver.until_done()
    driver.close()


class Standstill:
    """Laps of the event loop: wall clock, processor time, which no busy machine stretches, and collecting garbage.

    Python's collector looks through all objects of the process, whosever they are, when its time has come.
    """

    def __init__(self) -> None:
        self._began = self._wall = time.perf_counter()
        self._cpu = time.process_time()
        self._laps: list[tuple[float, float, float]] = []
        self._collecting = 0.0
        gc.callbacks.append(self._collected)

    def lap(self) -> str:
        wall, cpu = time.perf_counter(), time.process_time()
        self._laps.append((1000 * (wall - self._wall), 1000 * (cpu - self._cpu), 1000 * self._collecting))
        self._wall, self._cpu, self._collecting = wall, cpu, 0.0
        return "{:.0f} ms ({:.0f} ms of processor time)".format(*self._laps[-1])

    def longest(self) -> str:
        gc.callbacks.remove(self._collected)
        wall, cpu = (max(lap[i] for lap in self._laps[1:]) for i in (0, 1))
        own = max(lap[1] - lap[2] for lap in self._laps[1:])
        return f"{wall:.0f} ms ({cpu:.0f} ms of processor time, {own:.0f} ms without Python's garbage collector)"

    def _collected(self, phase: str, _: dict) -> None:
        self._collecting += time.process_time() * (1 if phase == "stop" else -1)

    def total(self) -> float:
        return time.perf_counter() - self._began


def cancel() -> None:
    driver = start()
    from driver import running

    driver.click("createSegmentsButton")
    driver.draw({name: (20, 60, 100) for name in ("GM", "GL", "SOL")}, radius=12)
    times = []
    for moment in np.random.default_rng(0).uniform(0, LATEST_CANCEL, CANCELS):
        driver.click("propagateButton")
        clicked = time.perf_counter()
        driver.until(lambda: time.perf_counter() > clicked + moment, "the moment")  # noqa: B023 (called at once)
        began = time.perf_counter()
        driver.click("propagateButton")
        driver.until_done()
        times.append(time.perf_counter() - began)
    pids = driver.pids
    driver.close()
    left = [pid for pid in pids if running(pid)]
    tell(f"{CANCELS} cancels: longest {max(times):.2f} s; workers started {len(pids)}, left {len(left)}")


def handover() -> None:
    """The steps that a poll of the panel's timer takes, on an array of the full size, slices across each axis."""
    for axis in range(3):
        array = np.zeros(FULL_GRID, np.uint8)
        array[::7] = 1
        _handover(np.moveaxis(array, axis, 0), f"slices across axis {axis}, ")


def _handover(array: np.ndarray, where: str) -> None:
    from MusclePropLib.core.annotations import Annotations, MuscleAnnotation
    from MusclePropLib.core.geometry import Geometry
    from MusclePropLib.core.steps import advance
    from MusclePropLib.core.volumes import Volume
    from MusclePropLib.gui.session import WRITE_SECONDS
    from MusclePropLib.jobs.job import JobWriter, check_result, write_result
    from MusclePropLib.jobs.runner import CHECK_SECONDS

    shape = array.shape
    rows, columns = np.ogrid[: shape[1], : shape[2]]
    mask = (rows / shape[1] - 0.5) ** 2 + (columns / shape[2] - 0.5) ** 2 < 0.1
    drawn = Annotations(shape, [MuscleAnnotation(name, dict.fromkeys(range(5), mask)) for name in ("GM", "GL", "SOL")])
    writer = JobWriter(Volume(array, Geometry.from_spacing(shape, (0.1, 0.1, 0.1))), drawn, {})
    _laps(f"{where}writing", lambda: writer.step(WRITE_SECONDS))
    write_result(writer.job.folder, array, {})
    steps = check_result(writer.job)
    _laps(f"{where}looking through the result", lambda: advance(steps, CHECK_SECONDS))
    writer.abort()


def _laps(what: str, step: Callable[[], bool]) -> None:
    standstill = Standstill()
    standstill.lap()
    while not step():
        standstill.lap()
    standstill.lap()
    tell(f"{what}: {standstill.total():.1f} s, longest step {standstill.longest()}")


def fullgrid() -> None:
    """No worker computes, for that is not what is measured; nor is the stroke itself, which is Slicer's."""
    driver = start((4, 4, 4), [sys.executable, "-c", "import sys; sys.stdin.read()"])
    from MusclePropLib.gui import report
    from MusclePropLib.gui.parameters import Axis
    from MusclePropLib.scene.results import accept as accept_result

    _make_full(driver.volume)
    driver.click("createSegmentsButton")
    driver.settle()
    ids = driver.segmentation.GetSegmentation().GetSegmentIDs()
    with tempfile.TemporaryDirectory() as folder:
        report.ask_where = lambda *_: Path(folder) / "leg.html"
        accept_result(driver.work.subject, ids, _full_labels(Path(folder)), {})
        _draw_every_sixth(driver)
        for axis in range(3):
            driver.parameters.axis = Axis(str(axis))
            driver.settle()
            drawn = sum(len(states.drawn) for states in driver.work.tracker.states.values())
            _erase_a_little(driver, 500 + axis)
            _stand_still(driver, f"slices across axis {axis}, {drawn} drawn")
    driver.close()


def _stand_still(driver, where: str) -> None:
    tell(f"{where}, after a stroke: {_longest(driver, lambda: driver.panel.at_rest)}")
    click = partial(driver.click, "propagateButton")
    tell(f"{where}, Propagate: {_longest(driver, lambda: _handed_over(driver.session.job), click)}")
    tell(f"{where}, Cancel: {_longest(driver, lambda: not driver.session.at_work, click)}")
    click = partial(driver.click, "measureButton")
    tell(f"{where}, Measure: {_longest(driver, lambda: not driver.panel.measure.busy, click)}")
    handed: list[object] = []
    driver.panel.report._programs.start = handed.append
    tell(f"{where}, Report: {_longest(driver, lambda: handed, partial(driver.click, 'reportButton'))}")
    driver.panel.report._give_up()


def _handed_over(scene_job) -> bool:
    return scene_job is not None and (scene_job.job.folder / "job.json").exists()


def _longest(driver, condition: Callable[[], object], click: Callable[[], object] = lambda: None) -> str:
    standstill = Standstill()
    standstill.lap()
    click()
    standstill.lap()
    while not condition():
        driver.qt_events()
        standstill.lap()
        time.sleep(0.001)
    seconds = standstill.total()
    return f"{seconds:.1f} s, longest standstill {standstill.longest()}"


def _draw_every_sixth(driver) -> None:
    from dataclasses import replace

    from MusclePropLib.scene.geometry import volume_geometry
    from MusclePropLib.scene.states import write_states
    from MusclePropLib.scene.voxels import segment_voxels

    driver.work.refresh()
    driver.settle()
    for segment_id, states in driver.work.tracker.states.items():
        voxels = segment_voxels(driver.segmentation, segment_id, volume_geometry(driver.volume), 0)
        segment = driver.segmentation.GetSegmentation().GetSegment(segment_id)
        write_states(segment, voxels, replace(states, filled=frozenset(t for t in states.filled if t % 6)))
    driver.settle()


def _erase_a_little(driver, k: int) -> None:
    from MusclePropLib.scene.geometry import image_array, new_labelmap, node_to_world, volume_geometry

    box = slice(k, k + 1), slice(100, 130), slice(150, 200)
    image = new_labelmap(volume_geometry(driver.volume), node_to_world(driver.segmentation), box)
    image_array(image)[...] = 1
    logic = driver.editor().logic
    segment_id = driver.id_of("GM")
    logic.ModifySegmentByLabelmap(driver.segmentation, segment_id, image, logic.ModificationModeRemove, False, False)


def _make_full(volume) -> None:
    """Its voxels are never written to, so that only the segments take memory."""
    import slicer

    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*reversed(FULL_GRID))
    image.AllocateScalars(3, 1)
    volume.SetAndObserveImageData(image)


def _full_labels(folder: Path) -> np.ndarray:
    """Three muscles that fill as much of the grid as a calf does, in a file."""
    labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint8, FULL_GRID)
    for t in range(200, 2000):
        labels[t, 100:350, 150:600], labels[t, 100:350, 700:1150], labels[t, 360:600, 200:1100] = 1, 2, 3
    return labels


def accept() -> None:
    """How long it takes, and how much memory."""
    import slicer
    import slicer_scene

    from MusclePropLib.scene.annotations import Subject
    from MusclePropLib.scene.results import accept as accept_result
    from MusclePropLib.scene.segments import create_default_segments

    slicer_scene.new_scene()
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "full")
    _make_full(volume)
    segmentation = create_default_segments(volume)
    labels = _full_labels(Path(tempfile.mkdtemp()))
    ids = segmentation.GetSegmentation().GetSegmentIDs()
    before, peak = memory(), Peak()
    began, cpu = time.perf_counter(), time.process_time()
    with peak:
        accept_result(Subject(volume.GetID(), segmentation.GetID(), 0), ids, labels, {})
    voxels = sum(segmentation.GetBinaryLabelmapInternalRepresentation(i).GetNumberOfPoints() for i in ids)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    tell(
        f"accept on {FULL_GRID}: {seconds:.1f} s ({cpu:.1f} s of processor time); segments hold {voxels / 1e9:.2f} GB, "
        f"memory rose by at most {(peak.highest - before) / 1e9:.2f} GB"
    )


class Peak:
    """The highest anonymous memory of this process while it is entered; mapped files do not count."""

    def __enter__(self):
        self.highest, self._going = memory(), True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._going = False
        self._thread.join()

    def _watch(self):
        while self._going:
            self.highest = max(self.highest, memory())
            time.sleep(0.02)


def memory() -> int:
    """Anonymous resident memory in bytes (Linux), else the peak that the system knows."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


told: list[str] = []


def tell(sentence: str) -> None:
    print(sentence, flush=True)
    told.append(sentence)


MEASURES = {"preview": preview, "cancel": cancel, "handover": handover, "fullgrid": fullgrid, "accept": accept}


def main() -> None:
    """Measure what is asked for, else everything, and keep it beside what was measured before."""
    sys.path.insert(0, str(Path(__file__).parent))
    from processes import machine

    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    for what in sys.argv[1:] or MEASURES:
        told.clear()
        MEASURES[what]()
        command = f"python Testing/benchmarks/slicer_panel.py {what}"
        kept[what] = {"command": command, "machine": machine(), "told": list(told)}
        FILE.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
