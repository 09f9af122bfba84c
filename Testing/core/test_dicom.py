import numpy as np
import pytest
import SimpleITK as sitk

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.segments import Segment, Segmentation
from MusclePropLib.core.volumes import read_volume, volume_files
from MusclePropLib.exchange.dicom_seg import write_dicom_seg

ARRAY = np.random.default_rng(0).integers(0, 255, (5, 6, 7), np.uint8)
ROW, COLUMN = np.array([0.6, 0.8, 0.0]), np.array([0.0, 0.0, -1.0])
NORMAL = np.cross(ROW, COLUMN)


def write_series(folder, uid="1.2.3", distances=(0.0, 2, 4, 6, 8), prefix="slice", numbers=(1, 2, 3, 4, 5), slant=0.0):
    """One oblique series of five slices, their files named against their order; `slant` in mm down per mm on."""
    paths = []
    for index, distance in enumerate(distances):
        image = sitk.GetImageFromArray(ARRAY[index])
        image.SetSpacing([0.25, 0.5])
        position = np.array([10.0, -20, 30]) + distance * (NORMAL + slant * COLUMN)
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.7",
            "0008|0018": f"{uid}.{index}",
            "0008|0060": "US",
            "0020|000d": "1.2.9",
            "0020|000e": uid,
            "0020|0013": str(numbers[index]),
            "0020|0032": "\\".join(f"{v:.6f}" for v in position),
            "0020|0037": "\\".join(f"{v:.6f}" for v in [*ROW, *COLUMN]),
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{prefix}{9 - index}.dcm"))
        writer.Execute(image)
        paths.append(folder / f"{prefix}{9 - index}.dcm")
    return paths


def test_a_folder_and_one_of_its_files_are_the_same_series(tmp_path):
    paths = write_series(tmp_path)
    for path in (tmp_path, paths[2]):
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, ARRAY)
        np.testing.assert_allclose(volume.geometry.spacing, [2, 0.5, 0.25], rtol=1e-5)
        np.testing.assert_allclose(volume.geometry.affine[:3, 3], [10, -20, 30], atol=1e-4)
        np.testing.assert_allclose(volume.geometry.affine[:3, 2], 0.25 * ROW, atol=1e-4)
        assert volume.positions is None


def test_the_files_of_a_series(tmp_path):
    paths = write_series(tmp_path)
    other = write_series(tmp_path, uid="1.2.4", prefix="other")
    (tmp_path / ".DS_Store").write_bytes(b"")
    assert volume_files(tmp_path) == sorted(paths + other)
    assert volume_files(paths[2]) == paths
    paths[0].write_bytes(b"damaged")
    assert volume_files(paths[0]) == [paths[0]]


def test_of_several_series_the_user_must_name_one(tmp_path):
    write_series(tmp_path)
    other = write_series(tmp_path, uid="1.2.4", distances=(0, 3, 6, 9, 12), prefix="other")
    with pytest.raises(InputError, match="2 DICOM series"):
        read_volume(tmp_path)
    assert read_volume(other[0]).geometry.spacing[0] == pytest.approx(3)


def test_uneven_slices_keep_their_positions(tmp_path):
    write_series(tmp_path, distances=(0, 2, 4, 9, 11))
    np.testing.assert_allclose(read_volume(tmp_path).slice_positions(), [0, 2, 4, 9, 11], atol=1e-4)


def refused(path):
    with pytest.raises(InputError) as caught:
        read_volume(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize("kept", [0, 100, 500, -100])
@pytest.mark.parametrize("which", [2, 4])
def test_a_damaged_slice_is_not_left_out(tmp_path, which, kept):
    paths = write_series(tmp_path)
    paths[which].write_bytes(paths[which].read_bytes()[:kept])
    for path in (tmp_path, paths[0]):
        assert f"{paths[which].name} of the DICOM series cannot be read" in refused(path)


def test_a_slice_whose_name_is_not_utf8(tmp_path):
    """It would end the whole process in SimpleITK."""
    paths = write_series(tmp_path)
    try:
        paths[2].rename(tmp_path / "b\udce4.dcm")
    except OSError:
        pytest.skip("the disk has no room for such names")
    with pytest.raises(InputError, match="the name is not valid UTF-8; rename the file"):
        read_volume(tmp_path)


def test_damaged_files_of_other_series_do_not_matter_beside_a_named_file(tmp_path):
    paths = write_series(tmp_path)
    other = write_series(tmp_path, uid="1.2.3.7", prefix="other")
    other[1].write_bytes(other[1].read_bytes()[:-20])
    np.testing.assert_array_equal(read_volume(paths[0]).array, ARRAY)
    assert other[1].name in refused(other[0])


def test_files_that_are_no_slices_do_not_matter(tmp_path):
    """A report of the same series, the index of a disc, a text, and what macOS leaves beside each file."""
    pydicom = pytest.importorskip("pydicom")
    write_series(tmp_path)
    for name, kind in [("report.dcm", "1.2.840.10008.5.1.4.1.1.88.11"), ("DICOMDIR", "1.2.840.10008.1.3.10")]:
        data = pydicom.Dataset()
        data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = kind, "1.2.7.1", "1.2.3"
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.save_as(tmp_path / name, enforce_file_format=True)
    (tmp_path / "readme.txt").write_text("Leg", encoding="utf-8")
    (tmp_path / "._slice9.dcm").write_bytes(b"Mac OS X")
    np.testing.assert_array_equal(read_volume(tmp_path).array, ARRAY)


@pytest.mark.parametrize("offset", [0, 0.1])
def test_a_slice_is_missing(tmp_path, offset):
    paths = write_series(tmp_path, distances=(0, 2, 4, 8 + offset, 10), numbers=(1, 2, 3, 5, 6))
    message = refused(tmp_path)
    assert f"missing between {paths[2].name} and {paths[3].name}" in message
    assert f"{4 + offset:g} mm apart, where others are 2 mm apart" in message


@pytest.mark.parametrize(
    ("distances", "numbers"), [((0, 2, 4, 8, 10), (1, 2, 3, 4, 5)), ((0, 2.3, 4, 9, 11), (1, 2, 3, 5, 6))]
)
def test_slices_that_were_recorded_unevenly_are_not_missing(tmp_path, distances, numbers):
    write_series(tmp_path, distances=distances, numbers=numbers)
    np.testing.assert_allclose(read_volume(tmp_path).slice_positions(), distances, atol=1e-4)


def test_positions_that_are_rounded_are_no_gaps(tmp_path):
    write_series(tmp_path, distances=(0, 0.6, 1.3, 1.9, 2.5), numbers=(1, 3, 5, 7, 9))
    np.testing.assert_array_equal(read_volume(tmp_path).array, ARRAY)


def test_a_series_of_one_slice(tmp_path):
    paths = write_series(tmp_path, distances=(0,))
    for path in (tmp_path, paths[0]):
        with pytest.raises(InputError, match="one slice"):
            read_volume(path)


@pytest.mark.parametrize("distances", [(0, 2, 4, 0, 2), (0, 0, 2, 2, 4)])
def test_a_time_series_is_no_volume(tmp_path, distances):
    write_series(tmp_path, distances=distances)
    with pytest.raises(InputError, match="several slices at the same place"):
        read_volume(tmp_path)


def rewrite(path, image, **tags):
    """A slice's file with other pixels or tags."""
    before = sitk.ReadImage(path)
    for key in before.GetMetaDataKeys():
        if not key.startswith(("0028", "7fe0")):
            image.SetMetaData(key, before.GetMetaData(key))
    for key, value in tags.items():
        image.SetMetaData(key.replace("_", "|"), value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def test_a_slice_of_another_size_is_named(tmp_path):
    odd = write_series(tmp_path)[2]
    rewrite(odd, sitk.GetImageFromArray(ARRAY[2][:4]))
    assert f"the slice {odd.name} has 7 x 4 pixels, where others have 7 x 6" in refused(tmp_path)


@pytest.mark.parametrize("which", [0, 2, 4])
def test_a_slice_of_another_orientation_is_named(tmp_path, which):
    odd = write_series(tmp_path)[which]
    rewrite(odd, sitk.GetImageFromArray(ARRAY[which]), **{"0020_0037": "1\\0\\0\\0\\1\\0"})
    message = refused(tmp_path)
    assert f"the orientations of its slices differ; is {odd.name} a localizer?" in message


def write_frames(path, kind="3.1", syntax="1.2.840.10008.1.2.1", **more):
    """One file of five frames; `kind` is the end of its class, by default a loop of ultrasound frames."""
    pydicom = pytest.importorskip("pydicom")
    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID = f"1.2.840.10008.5.1.4.1.1.{kind}", "1.2.3.1"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2.9", "1.2.3", "US"
    data.NumberOfFrames, data.Rows, data.Columns = ARRAY.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    for key, value in more.items():
        setattr(data, key, value)
    data.PixelData = ARRAY.tobytes()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("more", [{}, {"FrameTime": "50", "FrameIncrementPointer": 0x00181063}])
def test_frames_of_which_nobody_knows_where_they_are(tmp_path, more):
    """The pixel size of an ultrasound loop stands where ITK does not look, the distance of its frames nowhere."""
    write_frames(tmp_path / "loop.dcm", **more)
    for path in (tmp_path, tmp_path / "loop.dcm"):
        with pytest.raises(InputError, match="5 frames without their places") as caught:
            read_volume(path)
        assert str(path) in str(caught.value)


def test_frames_with_their_distance_are_a_volume(tmp_path):
    write_frames(tmp_path / "a.dcm", kind="20", SpacingBetweenSlices="2", PixelSpacing=[0.5, 0.25])
    for path in (tmp_path, tmp_path / "a.dcm"):
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, ARRAY)
        assert volume.geometry.spacing == (2, 0.5, 0.25)


def write_placed_frames(
    path,
    distances=(0.0, 2, 4, 6, 8),
    decimals=6,
    shared=False,
    pixels=None,
    slant=0.0,
    first=(10, -20, 30),
    thickness="",
    **more,
):
    """An enhanced MR file of frames at `distances` along the normal, each rounded; `shared`: one place for all."""
    pydicom = pytest.importorskip("pydicom")

    def item(**values):
        data = pydicom.Dataset()
        for key, value in values.items():
            setattr(data, key, value)
        return data

    def place(distance):
        corner = np.round(np.array(first, float) + distance * (NORMAL + slant * COLUMN), decimals).tolist()
        # Some makers give the position once more, in a sequence of their own.
        private = item(ImagePositionPatient=[0.0, 0, 0])
        frame = item(PlanePositionSequence=[item(ImagePositionPatient=corner)])
        frame.add_new(0x20050010, "LO", "Maker")
        frame.add_new(0x2005100F, "SQ", [private])
        return frame

    plane = [item(ImageOrientationPatient=[*map(float, ROW), *map(float, COLUMN)])]
    measures = item(PixelSpacing=[0.5, 0.25], **({"SliceThickness": thickness} if thickness else {}))
    common = item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=plane)
    frames = [place(distance) for distance in distances]
    for frame, pixel in zip(frames, pixels or [], strict=False):
        frame.PixelMeasuresSequence = [item(SliceThickness="2", SpacingBetweenSlices="2", PixelSpacing=pixel)]
        common.pop("PixelMeasuresSequence", None)
    if shared:
        common.update(frames[0])
        frames = [item() for _ in distances]
    groups = {"SharedFunctionalGroupsSequence": [common], "PerFrameFunctionalGroupsSequence": frames}
    write_frames(path, "4.1", **groups, **more)


TILTED_GANTRY = np.tan(np.radians(20))


@pytest.mark.parametrize("distances", [(0, 2, 4, 6, 8), (0, 2, 4, 9, 11)])
def test_slices_under_a_tilted_gantry_are_no_upright_grid(tmp_path, distances):
    write_series(tmp_path, distances=distances, slant=TILTED_GANTRY)
    assert "not at right angles (sheared)" in refused(tmp_path)
    write_placed_frames(tmp_path / "a" / "a.dcm", distances=distances, slant=TILTED_GANTRY)
    assert "not at right angles (sheared)" in refused(tmp_path / "a" / "a.dcm")


def test_rounded_positions_are_no_slant(tmp_path):
    write_series(tmp_path, slant=0.02)
    assert read_volume(tmp_path).geometry.spacing == pytest.approx((2, 0.5, 0.25), rel=1e-3)
    write_placed_frames(tmp_path / "a" / "a.dcm", decimals=1)
    volume = read_volume(tmp_path / "a" / "a.dcm")
    assert volume.geometry.spacing == pytest.approx((2, 0.5, 0.25), rel=0.02)
    assert not volume.geometry.sheared


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("way", [1, -1])
def test_frames_lie_where_their_positions_say(tmp_path, syntax, way):
    write_placed_frames(tmp_path / "a.dcm", distances=np.arange(5) * 2.0 * way, syntax=syntax)
    for path in (tmp_path, tmp_path / "a.dcm"):
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, ARRAY)
        assert volume.positions is None
        affine = volume.geometry.affine[:3]
        np.testing.assert_allclose(affine.T, [2 * way * NORMAL, 0.5 * COLUMN, 0.25 * ROW, [10, -20, 30]], atol=1e-5)


def test_the_positions_of_frames_may_be_rounded(tmp_path):
    write_placed_frames(tmp_path / "a.dcm", distances=np.arange(5) * 2 / 3, decimals=2)
    volume = read_volume(tmp_path / "a.dcm")
    assert volume.geometry.spacing == pytest.approx((2 / 3, 0.5, 0.25), rel=0.01)
    np.testing.assert_allclose(volume.slice_positions(), np.arange(5) * 2 / 3, atol=0.02)


@pytest.mark.parametrize("pixels", [None, [[0.5, 0.25]] * 5])
def test_uneven_frames_keep_their_positions(tmp_path, pixels):
    write_placed_frames(tmp_path / "a.dcm", distances=(0, 2, 4, 9, 11), pixels=pixels)
    volume = read_volume(tmp_path / "a.dcm")
    assert volume.geometry.spacing == pytest.approx((2.75, 0.5, 0.25))
    np.testing.assert_allclose(volume.slice_positions(), [0, 2, 4, 9, 11], atol=1e-4)


def test_uneven_frames_may_begin_at_the_origin(tmp_path):
    """Which is where ITK has frames that lie nowhere."""
    write_placed_frames(tmp_path / "a.dcm", distances=(0, 2, 4, 9, 11), first=(0, 0, 0))
    np.testing.assert_allclose(read_volume(tmp_path / "a.dcm").slice_positions(), [0, 2, 4, 9, 11], atol=1e-4)


@pytest.mark.parametrize("distances", [(2, 6, 0, 4, 9.5), (2, 6, 0, 4, 8)])
def test_a_dicom_seg_has_its_masks_on_the_frames_that_they_are_of(tmp_path, distances):
    """However the source stores its frames; each slice has a mask of its own."""
    highdicom = pytest.importorskip("highdicom")
    path, out = tmp_path / "a.dcm", tmp_path / "seg.dcm"
    empty = dict.fromkeys(("AccessionNumber", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"), "")
    told = {"PatientID": "7", "PatientName": "A^B", "StudyID": "1", "StudyDate": "20260101", "StudyTime": "101010"}
    numbers = {"SeriesNumber": "1", "InstanceNumber": "1", "FrameOfReferenceUID": "1.2.7"}
    write_placed_frames(path, distances=distances, thickness="2", **empty, **told, **numbers)
    volume = read_volume(path)
    masks = np.zeros(volume.array.shape, np.uint8)
    masks[np.arange(5), 0, np.arange(5)] = 1
    write_dicom_seg(out, Segmentation(volume.geometry, [masks], [Segment("SOL")]), path, volume.positions is None)
    seg = highdicom.seg.segread(out)
    frames = seg.PerFrameFunctionalGroupsSequence
    corners = np.array([frame.PlanePositionSequence[0].ImagePositionPatient for frame in frames], float)
    places = np.argsort(np.argsort((corners - [10, -20, 30]) @ NORMAL))
    assert [int(np.flatnonzero(plane.any(axis=0))[0]) for plane in seg.pixel_array] == places.tolist()


@pytest.mark.parametrize("last", [8, 9])
def test_interleaved_frames_are_put_in_order(tmp_path, last):
    write_placed_frames(tmp_path / "a.dcm", distances=(2, 6, 0, 4, last))
    volume = read_volume(tmp_path / "a.dcm")
    np.testing.assert_array_equal(volume.array, ARRAY[[2, 0, 3, 1, 4]])
    np.testing.assert_allclose(volume.slice_positions(), [0, 2, 4, 6, last], atol=1e-4)
    affine = volume.geometry.affine[:3]
    np.testing.assert_allclose(affine.T, [last / 4 * NORMAL, 0.5 * COLUMN, 0.25 * ROW, [10, -20, 30]], atol=1e-5)


@pytest.mark.parametrize("distances", [(0, 2, 4, 0, 2), (0, 0, 2, 2, 4), (0, 0, 0, 0, 0)])
@pytest.mark.parametrize("shared", [False, True])
def test_frames_at_the_same_place_are_no_volume(tmp_path, distances, shared):
    write_placed_frames(tmp_path / "a.dcm", distances=distances, shared=shared)
    assert "several slices at the same place" in refused(tmp_path / "a.dcm")


def test_places_of_frames_that_cannot_be_known(tmp_path):
    path = tmp_path / "a.dcm"
    write_placed_frames(path, distances=(0, 2, 4))
    assert "5 frames, but positions of 3" in refused(path)
    write_placed_frames(path, distances=(0, 2, 4, 9, 11))
    path.write_bytes(path.read_bytes().replace(b"-20.0", b"-2x.0"))
    assert "places of its frames is damaged" in refused(path)
    write_placed_frames(path, pixels=[[0.5, 0.25]] * 4 + [[0.5, 0.5]])
    assert "pixels of different sizes" in refused(path)
    write_placed_frames(path, pixels=[[0.0, 0.25]] * 5)
    assert "places of its frames is damaged" in refused(path)
