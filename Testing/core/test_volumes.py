import gc
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from grids import geometries
from hypothesis import given, settings
from hypothesis import strategies as st

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.volumes import Volume, read_volume, volume_files, write_volume

FORMATS = [".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"]
GRID = Geometry.from_spacing((4, 5, 6), (3.0, 0.5, 0.25))


def ramp(shape=(4, 5, 6), dtype=np.uint8):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def fault(path):
    with pytest.raises(InputError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@settings(max_examples=25)
@given(geometry=geometries(), suffix=st.sampled_from(FORMATS), dtype=st.sampled_from(["u1", "i2", "u2", "f4"]))
def test_every_format_keeps_array_and_geometry(geometry, suffix, dtype):
    array = ramp(geometry.shape, dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "calf" + suffix)
        write_volume(path, Volume(array, geometry))
        volume = read_volume(path)
        assert volume.array.dtype == array.dtype
        np.testing.assert_array_equal(volume.array, array)
        assert volume.geometry.matches(geometry)


@settings(max_examples=25)
@given(geometry=geometries(), axis=st.integers(0, 2), then=st.integers(0, 2))
def test_along_moves_array_and_geometry_together(geometry, axis, then):
    volume = Volume(ramp(geometry.shape), geometry)
    turned = volume.along(axis).along(then)
    index = np.array([1, 0, 1])
    stored = np.insert(index[1:], then, index[0])
    assert turned.axis == then
    assert turned.array[tuple(index)] == volume.array[tuple(stored)]
    np.testing.assert_allclose(turned.geometry.affine @ [*index, 1], geometry.affine @ [*stored, 1])
    assert np.shares_memory(turned.array, volume.array)


def test_a_turned_volume_is_written_in_its_stored_order(tmp_path):
    volume = Volume(ramp(), GRID)
    write_volume(tmp_path / "a.nrrd", volume.along(2))
    again = read_volume(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(again.array, volume.array)
    assert again.geometry.matches(GRID)


def test_pixels_are_lent_not_copied_and_outlive_the_reader(tmp_path):
    write_volume(tmp_path / "a.nrrd", Volume(ramp((40, 50, 60)), Geometry.from_spacing((40, 50, 60), (1, 1, 1))))
    part = read_volume(tmp_path / "a.nrrd").array[7:9]
    gc.collect()
    noise = [np.random.default_rng(0).integers(0, 255, (40, 50, 60), np.uint8) for _ in range(20)]
    np.testing.assert_array_equal(part, ramp((40, 50, 60))[7:9])
    assert not part.flags.owndata and len(noise) == 20


def test_positions_of_an_even_grid_follow_the_spacing_of_the_first_axis():
    np.testing.assert_allclose(Volume(ramp(), GRID).slice_positions(), [0, 3, 6, 9])
    np.testing.assert_allclose(Volume(ramp(), GRID).along(2).slice_positions(), np.arange(6) * 0.25)


def test_positions_belong_to_the_frames_only():
    volume = Volume(ramp(), GRID, positions=np.array([0.0, 1, 2, 5]))
    np.testing.assert_allclose(volume.slice_positions(), [0, 1, 2, 5])
    np.testing.assert_allclose(volume.along(1).slice_positions(), np.arange(5) * 0.5)


def test_missing_file(tmp_path):
    assert "no such file" in fault(tmp_path / "nothing.nrrd")


def test_not_an_image(tmp_path):
    (tmp_path / "letter.nrrd").write_text("Dear colleague", encoding="utf-8")
    assert "not an image" in fault(tmp_path / "letter.nrrd")


def test_a_file_that_breaks_off(tmp_path):
    path = tmp_path / "a.nrrd"
    array = np.random.default_rng(0).integers(0, 255, (20, 20, 20), np.uint8)
    write_volume(path, Volume(array, Geometry.from_spacing((20, 20, 20), (1, 1, 1))))
    path.write_bytes(path.read_bytes()[:4000])
    assert "the file breaks off" in fault(path)


def test_colour(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(ramp((4, 5, 6, 3)), isVector=True), tmp_path / "a.nrrd")
    assert "colour" in fault(tmp_path / "a.nrrd")


def test_time_series(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(ramp((2, 4, 5, 6)), isVector=False), tmp_path / "a.nii.gz")
    assert "time series of 2" in fault(tmp_path / "a.nii.gz")


def test_a_fourth_axis_of_one_is_no_time_series(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(ramp((1, 4, 5, 6)), isVector=False), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, ramp())


@pytest.mark.parametrize("shape", [(5, 6), (1, 5, 6), (5, 1, 6)])
def test_one_slice(tmp_path, shape):
    sitk.WriteImage(sitk.GetImageFromArray(ramp(shape)), tmp_path / "a.nrrd")
    assert "one slice" in fault(tmp_path / "a.nrrd")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0, 0), (3, 4, 5)])
def test_values_that_are_not_finite(tmp_path, value, where):
    array = ramp(dtype=np.float32)
    array[where] = value
    write_volume(tmp_path / "a.mha", Volume(array, GRID))
    assert "not finite" in fault(tmp_path / "a.mha")


def test_constant(tmp_path):
    write_volume(tmp_path / "a.mha", Volume(np.full((4, 5, 6), 7, np.uint8), GRID))
    assert "same value" in fault(tmp_path / "a.mha")


def test_one_voxel_is_enough_not_to_be_constant(tmp_path):
    array = np.zeros((4, 5, 6), np.uint8)
    array[-1, -1, -1] = 1
    write_volume(tmp_path / "a.mha", Volume(array, GRID))
    assert read_volume(tmp_path / "a.mha").array.sum() == 1


def test_folder_without_images(tmp_path):
    assert "no DICOM series" in fault(tmp_path)


@pytest.mark.parametrize("name", ["a.txt", "a", "nowhere/a.nrrd"])
def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, name):
    with pytest.raises(InputError, match="a"):
        write_volume(tmp_path / name, Volume(ramp(), GRID))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".MHA", ".MHD", ".NII", ".Nii.GZ"])
def test_an_ending_in_capitals_is_refused_that_would_be_written_as_something_else(tmp_path, ending):
    write_volume(tmp_path / "leg.mhd", Volume(ramp() + 1, GRID))
    with pytest.raises(InputError, match="small letters"):
        write_volume(tmp_path / f"leg{ending}", Volume(ramp(), GRID))
    assert {p.name for p in tmp_path.iterdir()} == {"leg.mhd", "leg.zraw"}
    np.testing.assert_array_equal(read_volume(tmp_path / "leg.mhd").array, ramp() + 1)


def test_nrrd_in_capitals_is_nrrd(tmp_path):
    write_volume(tmp_path / "leg.NRRD", Volume(ramp(), GRID))
    np.testing.assert_array_equal(read_volume(tmp_path / "leg.NRRD").array, ramp())


def test_a_sheared_grid_is_refused_by_nifti_and_kept_by_nrrd(tmp_path):
    affine = GRID.affine.copy()
    affine[0, 1] = 0.2
    sheared = Volume(ramp(), Geometry((4, 5, 6), affine))
    with pytest.raises(InputError, match="perpendicular"):
        write_volume(tmp_path / "a.nii.gz", sheared)
    assert not list(tmp_path.iterdir())
    write_volume(tmp_path / "a.nrrd", sheared)
    assert read_volume(tmp_path / "a.nrrd").geometry.matches(sheared.geometry)


def test_a_failed_write_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    write_volume(tmp_path / "a.nrrd", Volume(ramp(), GRID))
    before = (tmp_path / "a.nrrd").read_bytes()

    def full(*_):
        raise RuntimeError("no space left")

    monkeypatch.setattr(sitk, "WriteImage", full)
    with pytest.raises(InputError, match="no space left"):
        write_volume(tmp_path / "a.nrrd", Volume(ramp() + 1, GRID))
    assert [p.name for p in tmp_path.iterdir()] == ["a.nrrd"]
    assert (tmp_path / "a.nrrd").read_bytes() == before


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("missing", [1, 4, 30, 1 << 20])
def test_a_full_disk_keeps_the_file_that_was_there(tmp_path, monkeypatch, suffix, missing):
    """ITK's writers say nothing of it: here some of the last bytes, or all, do not reach the disk."""
    volume = Volume(ramp((20, 20, 20)), Geometry.from_spacing((20, 20, 20), (1, 1, 1)))
    path = tmp_path / f"calf{suffix}"
    write_volume(path, volume)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    write = sitk.WriteImage

    def cut_off(image, name, compressed):
        write(image, name, compressed)
        beside = (file for file in Path(name).parent.iterdir() if file.suffix in (".gz", ".zraw"))
        voxels = next(beside, Path(name))
        voxels.write_bytes(voxels.read_bytes()[:-missing])

    monkeypatch.setattr(sitk, "WriteImage", cut_off)
    with pytest.raises(InputError) as caught:
        write_volume(path, volume)
    assert str(caught.value) == f"{path}: could not be written whole; is the disk full?"
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_real_volumes(real):
    volume = read_volume(real / "mr_brats_tumour_pat0006" / "image.nrrd")
    assert volume.array.shape == (145, 137, 145) and volume.array.dtype == np.uint8
    assert volume.geometry.spacing == (1, 1, 1) and volume.positions is None


def files_of(path):
    return [file.relative_to(path.parent).as_posix() for file in volume_files(path)]


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        *((f"calf{ending}", []) for ending in (".nrrd", ".nii", ".nii.gz", ".mha")),
        ("calf [1].mhd", ["calf [1].zraw"]),
        ("50 % of it.nhdr", ["50 % of it.raw.gz"]),
    ],
)
def test_the_files_of_a_volume(tmp_path, name, beside):
    write_volume(tmp_path / name, Volume(ramp(), GRID))
    assert files_of(tmp_path / name) == [name, *beside]
    (tmp_path / "frames.csv").write_text("", encoding="utf-8")
    assert files_of(tmp_path / name) == [name, *beside, "frames.csv"]


def test_the_files_of_a_pair(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(ramp()), tmp_path / "calf.hdr")
    assert files_of(tmp_path / "calf.hdr") == ["calf.hdr", "calf.img"]
    assert files_of(tmp_path / "calf.img") == ["calf.img", "calf.hdr"]


METAIMAGE = "NDims = 3\nDimSize = 6 5 4\nElementType = MET_UCHAR\nElementDataFile = "
NRRD = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 6 5 4\nencoding: raw\n# data file: none\ndata file: "
LIST = "LIST\nslices/1.raw\nslices/2.raw\nslices/3.raw\nslices/4.raw"


@pytest.mark.parametrize(("name", "header"), [("calf.mhd", METAIMAGE), ("calf.nhdr", NRRD)])
@pytest.mark.parametrize("listed", [LIST, "slices/%d.raw 1 4 1"])
def test_the_files_of_slices_that_a_header_lists(tmp_path, name, header, listed):
    (tmp_path / "slices").mkdir()
    for number, part in enumerate(ramp(), 1):
        part.tofile(tmp_path / "slices" / f"{number}.raw")
    (tmp_path / name).write_text(f"{header}{listed}\n", encoding="utf-8")
    np.testing.assert_array_equal(read_volume(tmp_path / name).array, ramp())
    assert files_of(tmp_path / name) == [name, *(f"slices/{number}.raw" for number in range(1, 5))]
    (tmp_path / "slices" / "4.raw").unlink()
    assert files_of(tmp_path / name) == [name, *(f"slices/{number}.raw" for number in range(1, 4))]


def test_the_files_of_no_volume(tmp_path):
    assert files_of(tmp_path / "gone.mhd") == ["gone.mhd"]
    (tmp_path / "notes.nrrd").write_text("ElementDataFile = notes.raw", encoding="utf-8")
    assert files_of(tmp_path / "notes.nrrd") == ["notes.nrrd"]
