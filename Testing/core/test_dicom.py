import numpy as np
import pytest
import SimpleITK as sitk

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.volumes import read_volume

ARRAY = np.random.default_rng(0).integers(0, 255, (5, 6, 7), np.uint8)
ROW, COLUMN = np.array([0.6, 0.8, 0.0]), np.array([0.0, 0.0, -1.0])
NORMAL = np.cross(ROW, COLUMN)


def write_series(folder, uid="1.2.3", distances=(0.0, 2, 4, 6, 8), prefix="slice"):
    """One oblique series of five slices, their files named against their order."""
    paths = []
    for index, distance in enumerate(distances):
        image = sitk.GetImageFromArray(ARRAY[index])
        image.SetSpacing([0.25, 0.5])
        position = np.array([10.0, -20, 30]) + distance * NORMAL
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.7",
            "0008|0018": f"{uid}.{index}",
            "0008|0060": "US",
            "0020|000d": "1.2.9",
            "0020|000e": uid,
            "0020|0013": str(index + 1),
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


def test_of_several_series_the_user_must_name_one(tmp_path):
    write_series(tmp_path)
    other = write_series(tmp_path, uid="1.2.4", distances=(0, 3, 6, 9, 12), prefix="other")
    with pytest.raises(InputError, match="2 DICOM series"):
        read_volume(tmp_path)
    assert read_volume(other[0]).geometry.spacing[0] == pytest.approx(3)


def test_uneven_slices_keep_their_positions(tmp_path):
    write_series(tmp_path, distances=(0, 2, 4, 9, 11))
    np.testing.assert_allclose(read_volume(tmp_path).slice_positions(), [0, 2, 4, 9, 11], atol=1e-4)


def test_a_series_of_one_slice(tmp_path):
    paths = write_series(tmp_path, distances=(0,))
    for path in (tmp_path, paths[0]):
        with pytest.raises(InputError, match="one slice"):
            read_volume(path)
