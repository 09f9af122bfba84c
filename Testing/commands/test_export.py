"""`muscleprop export`, read back by the libraries of the programs that the files are for."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from results import write_result
from small_files import GRID, SHAPE

from MusclePropLib import cli
from MusclePropLib.core.annotations import NOT_MUSCLE_TAG, SLICES_TAG, MuscleAnnotation, slices_tag
from MusclePropLib.core.drawings import with_filled_tags
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.placed import place
from MusclePropLib.core.propagated import PROVENANCE_TAG
from MusclePropLib.core.segmentation import (
    Segment,
    Segmentation,
    annotations_from_segmentation,
    read_segmentation,
    segmentation_from_labels,
    segmentation_from_masks,
    write_segmentation,
)
from MusclePropLib.core.volumes import Volume, read_volume

ROW, COLUMN = np.array([0.6, 0.8, 0.0]), np.array([0.0, 0.0, -1.0])
NORMAL = np.cross(ROW, COLUMN)


@pytest.fixture
def result(tmp_path):
    return write_result(tmp_path)


def export(*arguments):
    return cli.main(["export", *map(str, arguments)])


def refused(capsys, *arguments):
    assert export(*arguments) == 2
    return capsys.readouterr().err


def test_curves(result, tmp_path):
    assert export(result[2], "-o", tmp_path / "curves.csv", "--image", result[0]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "curves.csv").read_text(encoding="utf-8"))))
    assert {row["muscle"] for row in rows} == {"GM", "GL"}
    assert all(float(row["acsa_cm2"]) > 0 for row in rows)


def test_a_label_map_holds_muscles_alone(tmp_path):
    given, out, labels = tmp_path / "given.seg.nrrd", tmp_path / "out.nii.gz", np.zeros(SHAPE, np.uint8)
    for value in (1, 2, 3):
        labels[:, 4 * value : 4 * value + 3] = value
    segments = [Segment("GM"), Segment("Not muscle"), Segment("GL")]
    write_segmentation(given, segmentation_from_labels(labels, GRID, segments))
    assert export(given, "-o", out) == 0
    assert np.array_equal(read_segmentation(out).layers[0], np.where(labels == 2, 0, labels))
    assert (tmp_path / "out.nii.gz.csv").read_text(encoding="utf-8").split() == ["Value,Label", "1,GM", "3,GL"]


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz"])
def test_a_slice_that_is_corrected_in_an_exported_seg_nrrd_is_drawn(tmp_path, ending):
    """And the other filled ones are not."""
    result, out, labels = tmp_path / f"leg{ending}", tmp_path / "out.seg.nrrd", np.zeros(SHAPE, np.uint8)
    labels[:, 2:5, 3:9], labels[:, 8:12, 3:9] = 1, 2
    segments = [Segment(name, tags={SLICES_TAG: slices_tag(MuscleAnnotation(name, {0: 1, 5: 1}), 0)}) for name in "ab"]
    write_segmentation(result, with_filled_tags(segmentation_from_labels(labels, GRID, segments)))
    muscles = [{"name": segment.name, "drawn_slices": [0, 5]} for segment in segments]
    (tmp_path / "leg.json").write_text(json.dumps({"axis": 0, "muscles": muscles}), encoding="utf-8")
    assert export(result, "-o", out) == 0
    image = sitk.ReadImage(str(out))
    image[3:9, 5, 2] = 1  # one row more
    sitk.WriteImage(image, str(out))
    drawn = {m.name: m.drawn_slices for m in annotations_from_segmentation(read_segmentation(out)).muscles}
    assert drawn == {"a": [0, 2, 5], "b": [0, 5]}


def ball(tmp_path, affine=None):
    """A ball of 9 mm in a segmentation with one segment, on an oblique grid if an affine is given."""
    geometry = (
        Geometry.from_spacing((31, 42, 62), (0.7, 0.5, 0.35)) if affine is None else Geometry((31, 42, 62), affine)
    )
    centre = (np.array(geometry.shape) - 1) / 2
    offset = (np.indices(geometry.shape) - centre[:, None, None, None]).reshape(3, -1)
    distance = np.linalg.norm(geometry.affine[:3, :3] @ offset, axis=0).reshape(geometry.shape)
    path = tmp_path / "ball.seg.nrrd"
    labels = (distance <= 9).astype(np.uint8)
    write_segmentation(path, segmentation_from_labels(labels, geometry, [Segment("GM", (0.8, 0.2, 0.2))]))
    return path, geometry.affine[:3, :3] @ centre + geometry.affine[:3, 3]


TURNED = np.array([[0.0, -0.5, 0.0, 12.0], [0.42, 0.0, 0.21, -7.0], [-0.56, 0.0, 0.28, 30.0], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("ending", [".stl", ".obj"])
@pytest.mark.parametrize("affine", [None, TURNED, TURNED @ np.diag([-1, 1, 1, 1])])
def test_surface_has_the_volume_and_stands_in_place(tmp_path, ending, affine):
    """A positive volume means that all faces look outwards, on grids of either handedness."""
    vtk = pytest.importorskip("vtk")
    path, centre = ball(tmp_path, affine)
    out = tmp_path / f"ball{ending}"
    assert export(path, "-o", out) == 0
    reader = vtk.vtkSTLReader() if ending == ".stl" else vtk.vtkOBJReader()
    reader.SetFileName(str(out))
    reader.Update()
    mesh = reader.GetOutput()
    signed = signed_volume(mesh)
    assert signed == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)
    np.testing.assert_allclose(mesh.GetCenter(), centre, atol=0.2)
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(mesh)
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    assert edges.GetOutput().GetNumberOfCells() == 0, "the surface is closed"


def signed_volume(mesh):
    from vtk.util.numpy_support import vtk_to_numpy

    points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(float)
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6


def test_surface_of_a_tracked_sweep(tmp_path):
    """A ball swept unevenly, the hand going back for a while, by the positions that the propagation recorded."""
    vtk = pytest.importorskip("vtk")
    positions = np.cumsum(np.r_[0, np.full(30, 0.4), np.full(8, -0.3), np.full(20, 0.7)])
    geometry = Geometry.from_spacing((len(positions), 50, 50), (0.4, 0.5, 0.5))
    rows, columns = np.ogrid[-12.25:12.26:0.5, -12.25:12.26:0.5]
    labels = ((positions - 12)[:, None, None] ** 2 + rows**2 + columns**2 <= 9**2).astype(np.uint8)
    segment = Segment("GM", tags={PROVENANCE_TAG: json.dumps({"positions_mm": positions.tolist()})})
    path = tmp_path / "ball.seg.nrrd"
    write_segmentation(path, segmentation_from_labels(labels, geometry, [segment]))
    assert export(path, "-o", tmp_path / "ball.stl") == 0
    reader = vtk.vtkSTLReader()
    reader.SetFileName(str(tmp_path / "ball.stl"))
    reader.Update()
    assert signed_volume(reader.GetOutput()) == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.02)
    assert np.ptp(reader.GetOutput().GetBounds()[4:]) == pytest.approx(18, abs=0.7)


@pytest.mark.parametrize("start", [4, 39])
def test_surface_of_a_tracked_sweep_on_an_image_that_is_cropped_or_flipped(start):
    """By recorded positions: it stays in place, and its outside is outside."""
    pytest.importorskip("vtk")
    from MusclePropLib.exchange.surfaces import surface

    geometry = Geometry.from_spacing((40, 30, 30), (0.5, 0.5, 0.5))
    mask = np.zeros(geometry.shape, bool)
    mask[8:30, 8:22, 8:22] = True
    tags = {PROVENANCE_TAG: json.dumps({"positions_mm": (0.5 * np.arange(40)).tolist()})}
    segmentation = segmentation_from_masks([mask], geometry, [Segment("GM", tags=tags)])
    affine = geometry.affine.copy()
    affine[:, 3] += affine[:, 0] * start
    affine[:, 0] *= 1 if start == 4 else -1
    image = np.zeros((36 if start == 4 else 40, 30, 30), np.uint8)
    grids = place(segmentation), place(segmentation, Volume(image, Geometry(image.shape, affine)))
    whole, found = (surface(p.labels(p.segmentation.segments[0]), 1, p.stack) for p in grids)
    assert grids[1].tracked and found.GetBounds() == pytest.approx(whole.GetBounds(), abs=0.01)
    assert signed_volume(found) == pytest.approx(signed_volume(whole), rel=0.001) and signed_volume(whole) > 0


def test_one_surface_per_muscle(result, tmp_path):
    pytest.importorskip("vtk")
    assert export(result[2], "-o", tmp_path / "leg.stl") == 0
    assert sorted(p.name for p in tmp_path.glob("*.stl")) == ["leg-GL.stl", "leg-GM.stl"]


@pytest.mark.parametrize("names", [("GM/left", "GM:left"), ("GM", "gm")])
def test_names_that_are_one_file_name(result, tmp_path, names):
    """On some disks those are that differ in case only."""
    pytest.importorskip("vtk")
    given = read_segmentation(result[2])
    given.segments[0].name, given.segments[1].name = names
    write_segmentation(result[2], given)
    assert export(result[2], "-o", tmp_path / "leg.stl") == 0
    assert len({file.name.casefold() for file in tmp_path.glob("*.stl")}) == 2


def test_label_map_and_legend_for_dafne(tmp_path):
    """Dafne matches the mask to the image by the geometry, and values to names by NAME.csv."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 2:6, 3:9], labels[:, 8:12, 3:9] = 1, 2
    given = tmp_path / "given.seg.nrrd"
    write_segmentation(given, segmentation_from_labels(labels, GRID, [Segment("GM"), Segment("Müller, left")]))
    out = tmp_path / "masks.nii.gz"
    assert export(given, "-o", out) == 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(out))), labels)
    rows = list(csv.reader((tmp_path / "masks.nii.gz.csv").open(encoding="utf-8")))
    assert rows == [["Value", "Label"], ["1", "GM"], ["2", "Müller, left"]]


def test_overlap_cannot_be_a_label_map(result, tmp_path, capsys):
    """The drawn GM and GL share voxels."""
    assert "overlaps" in refused(capsys, result[2], "-o", tmp_path / "masks.nii.gz")
    assert not list(tmp_path.glob("masks*"))


@pytest.fixture
def longest_file():
    """Sets how many bytes a file may have: more do not reach the disk, as if it were full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size=before[0]: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["leg.stl", "leg.obj", "leg.csv"])
@pytest.mark.parametrize("missing", [1, 700])
def test_an_export_that_breaks_off_leaves_what_was_there(result, tmp_path, capsys, longest_file, name, missing):
    assert export(result[2], "-o", tmp_path / name) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    size = written[0].stat().st_size
    for older in (True, False):
        for file in () if older else written:
            file.unlink()
        before = {file: file.read_bytes() for file in tmp_path.iterdir()}
        longest_file(size - missing)
        status = export(result[2], "-o", tmp_path / name)
        longest_file()
        assert status != 0 and str(written[0]) in capsys.readouterr().err.splitlines()[-1]
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


# DICOM SEG


def write_series(folder, frame_of_reference="1.2.7", places=(0, 2, 4, 6, 8), patient="A^B", character_set=None):
    """An oblique ultrasound series with slices at these mm, its files named against their order."""
    pydicom = pytest.importorskip("pydicom")
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for index, place_mm in enumerate(places):
        data = pydicom.Dataset()
        data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", f"1.2.3.{index + 1}"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.9", "1.2.3", "US"
        if character_set:
            data.SpecificCharacterSet = character_set
        data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = "7", patient, "", ""
        data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20260101", "101010", "1", ""
        data.ReferringPhysicianName, data.SeriesNumber, data.InstanceNumber = "", 4, index + 1
        if frame_of_reference:
            data.FrameOfReferenceUID, data.PositionReferenceIndicator = frame_of_reference, ""
        data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 6, 7, 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
        data.PixelSpacing, data.SliceThickness = [0.5, 0.25], 2.0
        data.ImagePositionPatient = [float(v) for v in np.array([10.0, -20, 30]) + place_mm * NORMAL]
        data.ImageOrientationPatient = [*map(float, ROW), *map(float, COLUMN)]
        data.PixelData = rng.integers(0, 255, (6, 7), np.uint8).tobytes()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.save_as(folder / f"{9 - index}.dcm", enforce_file_format=True)
    return folder


def drawn_on(series, tmp_path, second="GL"):
    """Two overlapping segments on the grid of the series."""
    geometry = read_volume(series).geometry
    gm, gl = np.zeros(geometry.shape, np.uint8), np.zeros(geometry.shape, np.uint8)
    gm[1:4, 1:4, 2:5], gl[2:, 3:5, 1:6] = 1, 2
    terminology = "list~SCT^91723000^Anatomical Structure~SCT^213689008^Gastrocnemius medialis~^^~x~^^~^^"
    segments = [Segment("GM", (0.8, 0.2, 0.2), {"TerminologyEntry": terminology}), Segment(second, layer=1, value=2)]
    path = tmp_path / "drawn.seg.nrrd"
    write_segmentation(path, Segmentation(geometry, [gm, gl], segments))
    return path, [gm == 1, gl == 2], geometry


def test_dicom_seg_is_read_back_on_the_grid_of_the_series(tmp_path):
    highdicom = pytest.importorskip("highdicom")
    series = write_series(tmp_path / "series")
    path, masks, geometry = drawn_on(series, tmp_path)
    out = tmp_path / "seg.dcm"
    assert export(path, "-o", out, "--image", series) == 0
    seg = highdicom.seg.segread(out)
    assert seg.FrameOfReferenceUID == "1.2.7" and seg.PatientID == "7"
    assert [seg.get_segment_description(n).segment_label for n in (1, 2)] == ["GM", "GL"]
    assert seg.get_segment_description(1).segmented_property_type.value == "213689008"
    volume = seg.get_volume()
    for n, mask in enumerate(masks):
        found = Geometry(volume.spatial_shape, volume.affine)
        whole = Segmentation(found, [volume.array[..., n].astype(np.uint8)], [Segment("x")]).resampled_to(geometry)
        np.testing.assert_array_equal(whole.mask(0), mask)


@pytest.mark.parametrize("name", ["肌肉", "Müller ß", "a\\b"])
@pytest.mark.parametrize(("patient", "character_set"), [("A^B", None), ("Bäcker^Ö", "ISO_IR 100")])
def test_dicom_seg_keeps_names_in_any_script(tmp_path, name, patient, character_set):
    """And the patient's, which the series may have in another character set. No label can hold a backslash."""
    highdicom = pytest.importorskip("highdicom")
    series = write_series(tmp_path / "series", patient=patient, character_set=character_set)
    path, *_ = drawn_on(series, tmp_path, name)
    assert export(path, "-o", tmp_path / "seg.dcm", "--image", series) == 0
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert seg.get_segment_description(2).segment_label == name.replace("\\", "/")
    assert seg.PatientName == patient


def test_dicom_seg_of_an_uneven_series_lies_on_its_slices(tmp_path):
    """Every frame is where a slice is, shows the mask of that slice, and names it as its source."""
    highdicom = pytest.importorskip("highdicom")
    places = (0, 2, 4, 7.3, 9.3)
    series = write_series(tmp_path / "series", places=places)
    path, masks, _ = drawn_on(series, tmp_path)
    out = tmp_path / "seg.dcm"
    assert export(path, "-o", out, "--image", series) == 0
    seg = highdicom.seg.segread(out)
    found = {}
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        corner = np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)
        number = int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        slice_index = int(np.argmin(np.abs(np.array(places) - (corner - [10, -20, 30]) @ NORMAL)))
        np.testing.assert_allclose(corner, np.array([10.0, -20, 30]) + places[slice_index] * NORMAL, atol=1e-6)
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        assert source.ReferencedSOPInstanceUID == f"1.2.3.{slice_index + 1}"
        found[number, slice_index] = pixels
    for number, mask in enumerate(masks, 1):
        assert [t for n, t in sorted(found) if n == number] == np.flatnonzero(mask.any(axis=(1, 2))).tolist()
        assert all(np.array_equal(found[number, t], mask[t]) for n, t in found if n == number)


def test_a_dicom_seg_is_no_label_map_and_no_volume(tmp_path, capsys):
    """ITK puts the frames of both segments into one image, all of the same value."""
    pytest.importorskip("highdicom")
    series = write_series(tmp_path / "series")
    path, _, _ = drawn_on(series, tmp_path)
    (tmp_path / "seg").mkdir()
    out = tmp_path / "seg" / "leg.dcm"
    assert export(path, "-o", out, "--image", series) == 0
    for read, file in ((read_segmentation, out), (read_volume, out), (read_volume, out.parent)):
        with pytest.raises(InputError, match=r"leg\.dcm: a DICOM SEG, .* \.seg\.nrrd instead"):
            read(file)
    assert cli.main(["measure", str(out)]) == cli.main(["evaluate", str(out), str(path)]) == 2
    assert capsys.readouterr().err.count("a DICOM SEG") == 2
    single = sitk.GetImageFromArray(np.eye(6, dtype=np.uint8))
    single.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.66.4")
    sitk.WriteImage(single, str(tmp_path / "was-seg.nrrd"))
    with pytest.raises(InputError, match="one slice"):  # what another program has made of one is judged by itself
        read_segmentation(tmp_path / "was-seg.nrrd")


def test_dicom_seg_of_another_grid_or_no_series(result, tmp_path, capsys):
    pytest.importorskip("highdicom")
    out = tmp_path / "seg.dcm"
    assert "--image" in refused(capsys, result[2], "-o", out)
    assert "not a DICOM series" in refused(capsys, result[2], "-o", out, "--image", result[0])
    series = write_series(tmp_path / "series")
    assert "different grids" in refused(capsys, result[2], "-o", out, "--image", series)
    bare = write_series(tmp_path / "bare", frame_of_reference="")
    path, *_ = drawn_on(bare, tmp_path)
    assert "no frame of reference" in refused(capsys, path, "-o", out, "--image", bare)
    assert not out.exists()


@pytest.mark.parametrize(("name", "tags"), [("not MUSCLE ", {}), ("bone", {NOT_MUSCLE_TAG: "1"})])
def test_what_is_not_muscle_is_no_surface_and_no_segment_of_a_dicom_seg(tmp_path, name, tags):
    highdicom = pytest.importorskip("highdicom")
    series = write_series(tmp_path / "series")
    path, (gm, _), _ = drawn_on(series, tmp_path)
    given = read_segmentation(path)
    given.segments[1].name, given.segments[1].tags = name, tags
    write_segmentation(path, given)
    assert export(path, "-o", tmp_path / "leg.stl", tmp_path / "leg.dcm", "--image", series) == 0
    assert [file.name for file in tmp_path.glob("*.stl")] == ["leg.stl"], "the surface of one muscle"
    seg = highdicom.seg.segread(tmp_path / "leg.dcm")
    assert [seg.get_segment_description(n).segment_label for n in seg.segment_numbers] == ["GM"]
    assert seg.get_volume(combine_segments=True).array.sum() == gm.sum()


# Faults


def test_unknown_ending_folder_and_inputs(result, tmp_path, capsys):
    assert "cannot write this kind of file" in refused(capsys, result[2], "-o", tmp_path / "leg.txt")
    assert "no such folder" in refused(capsys, result[2], "-o", tmp_path / "none" / "leg.csv")
    assert "overwrite an input" in refused(capsys, result[2], "-o", result[2])


@pytest.mark.parametrize("name", ["leg.obj", "leg.dcm", "leg.nii.gz"])
def test_a_file_without_any_muscle_has_nothing_to_export(tmp_path, capsys, name):
    path = tmp_path / "none.seg.nrrd"
    write_segmentation(path, segmentation_from_labels(np.ones(SHAPE, np.uint8), GRID, [Segment("Not muscle")]))
    assert "no segment of it is a muscle" in refused(capsys, path, "-o", tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["none.seg.nrrd"]


def test_an_empty_segment_has_no_surface(tmp_path, capsys):
    pytest.importorskip("vtk")
    path = tmp_path / "empty.seg.nrrd"
    write_segmentation(path, Segmentation(GRID, [np.zeros(SHAPE, np.uint8)], [Segment("GM")]))
    assert "'GM' is empty" in refused(capsys, path, "-o", tmp_path / "leg.stl")


def test_a_planned_muscle_does_not_keep_the_others_from_having_surfaces(result, tmp_path):
    pytest.importorskip("vtk")
    given = read_segmentation(result[2])
    planned = Segment("SOL", value=max(s.value for s in given.segments) + 1)
    write_segmentation(result[2], Segmentation(given.geometry, given.layers, [planned, *given.segments]))
    assert export(result[2], "-o", tmp_path / "leg.stl") == 0
    assert sorted(p.name for p in tmp_path.glob("*.stl")) == ["leg-GL.stl", "leg-GM.stl"]
