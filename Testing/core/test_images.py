import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from MusclePropLib.core.dicom import is_dicom, series_reader
from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.images import image_of, open_image
from MusclePropLib.core.segmentation import read_segmentation
from MusclePropLib.core.volumes import Volume, read_volume, write_volume

SHAPE = (10, 20, 30)
GRID = Geometry.from_spacing(SHAPE, (3.0, 0.5, 0.25))
NOISE = np.random.default_rng(0).integers(0, 200, SHAPE, np.int16)
HEADER = 352


def fault(path, read=read_volume):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def written(path, array=NOISE):
    """The bytes of the uncompressed file that has been written, or of the only file if it is compressed."""
    sitk.WriteImage(image_of(array, GRID), path, path.suffix == ".gz")
    return path.read_bytes()


@pytest.mark.parametrize("kept", [0.05, 0.6, 0.99])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", ["i2", "f4"])
def test_a_nifti_that_breaks_off(tmp_path, name, kept, kind):
    path = tmp_path / name
    whole = written(path, NOISE.astype(kind))
    path.write_bytes(whole[: int(kept * len(whole))])
    assert "the file breaks off" in fault(path)


def test_a_nifti_label_map_that_breaks_off(tmp_path):
    path = tmp_path / "a.nii.gz"
    whole = written(path, (NOISE % 3).astype(np.uint8))
    path.write_bytes(whole[:-4])
    assert "the file breaks off" in fault(path, read_segmentation)


def test_a_pair_that_breaks_off(tmp_path):
    written(tmp_path / "a.hdr")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.hdr").array, NOISE)
    voxels = tmp_path / "a.img"
    voxels.write_bytes(voxels.read_bytes()[:-1])
    assert "breaks off at 99 %" in fault(tmp_path / "a.hdr")
    assert "breaks off at 99 %" in fault(voxels)


def test_a_hole_in_a_compressed_nifti(tmp_path):
    path = tmp_path / "a.nii.gz"
    large = np.random.default_rng(0).integers(0, 200, (90, 80, 70), np.uint8)
    write_volume(path, Volume(large, Geometry.from_spacing(large.shape, (1, 1, 1))))
    whole = path.read_bytes()
    hole = len(whole) * 3 // 4
    path.write_bytes(whole[:hole] + bytes(500) + whole[hole + 500 :])
    assert "the file is damaged" in fault(path)


def big_endian(whole):
    """The same NIfTI with its bytes in the other order, as far as readers need them."""
    swapped = bytearray(whole)
    fields = [(0, "i"), (40, "8h"), (68, "3h"), (74, "h"), (76, "8f"), (108, "3f"), (252, "2h"), (256, "18f")]
    for offset, kind in fields:
        struct.pack_into(f">{kind}", swapped, offset, *struct.unpack_from(f"<{kind}", whole, offset))
    return bytes(swapped[:HEADER]) + np.frombuffer(whole, "<i2", offset=HEADER).astype(">i2").tobytes()


def test_the_other_byte_order(tmp_path):
    path = tmp_path / "a.nii"
    whole = big_endian(written(path))
    path.write_bytes(whole)
    np.testing.assert_array_equal(read_volume(path).array, NOISE)
    path.write_bytes(whole[:-1])
    assert "breaks off" in fault(path)


def test_unusual_but_whole_files_are_read(tmp_path):
    """Many gzip streams in one file, with something behind them; and no gzip at all in spite of the name."""
    whole = written(tmp_path / "a.nii")
    streams = [gzip.compress(whole[n : n + 300]) for n in range(0, len(whole), 300)]
    for name, content in [("many.nii.gz", b"".join(streams) + b"more"), ("plain.nii.gz", whole)]:
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, NOISE)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_niftis_background_of_nan_counts_as_zero(tmp_path, name):
    array = NOISE.astype("f4")
    array[:, :5] = np.nan
    written(tmp_path / name, array)
    np.testing.assert_array_equal(read_volume(tmp_path / name).array, np.nan_to_num(array))


def test_a_file_of_many_pieces_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("MusclePropLib.core.gzipped.PIECE", 997)
    for name in ("a.nii", "a.nii.gz"):
        written(tmp_path / name, NOISE.astype("f8"))
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, NOISE)


def nrrd_header(path, array, more=""):
    """The header of a compressed NRRD; of one whose voxels lie beside it, in voxels.gz, if it is called .nhdr."""
    kind = {"<i2": "int16\nendian: little", ">i2": "int16\nendian: big", "|u1": "uint8"}[array.dtype.str]
    sizes = " ".join(map(str, array.shape[::-1]))
    beside = "data file: voxels.gz\n" if path.suffix == ".nhdr" else ""
    return f"NRRD0004\ntype: {kind}\ndimension: 3\nsizes: {sizes}\nencoding: gzip\n{more}{beside}\n".encode()


def write_nrrd(path, voxels, header):
    """The compressed `voxels` behind the header or beside it, as its file is called."""
    if path.suffix == ".nhdr":
        (path.parent / "voxels.gz").write_bytes(voxels)
        path.write_bytes(header)
    else:
        path.write_bytes(header + voxels)


@pytest.mark.parametrize("read", [read_volume, read_segmentation])
@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
def test_a_damaged_voxel_of_a_compressed_nrrd(tmp_path, name, read):
    """One flipped bit makes other voxels of all that follow, and more than are needed, where ITK stops reading."""
    path, labels = tmp_path / name, (NOISE % 3).astype("u1")
    damaged = np.append(labels, 1)
    damaged[1000:] ^= 1
    end = gzip.compress(labels.tobytes())[-8:]
    write_nrrd(path, gzip.compress(damaged.tobytes())[:-8] + end, nrrd_header(path, labels))
    assert "the file is damaged" in fault(path, read)


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
def test_a_compressed_nrrd_without_its_last_bytes(tmp_path, name):
    path = tmp_path / name
    write_nrrd(path, gzip.compress(NOISE.tobytes())[:-6], nrrd_header(path, NOISE.astype("<i2")))
    assert "the file breaks off" in fault(path)


def test_unusual_but_whole_nrrds_are_read(tmp_path):
    """The other byte order, several streams, and something behind them or before them."""
    path, labels = tmp_path / "a.nrrd", (NOISE % 3).astype("u1")
    swapped = NOISE.astype(">i2")
    plain = labels.tobytes()
    for voxels, array, more in [
        (gzip.compress(swapped.tobytes()), swapped, ""),
        (gzip.compress(plain) + b"more", labels, ""),
        (gzip.compress(plain[:999]) + gzip.compress(plain[999:]), labels, ""),
        (gzip.compress(b"before" + plain), labels, "byte skip: 6\n"),
    ]:
        write_nrrd(path, voxels, nrrd_header(path, array, more))
        np.testing.assert_array_equal(read_volume(path).array, array)


def test_a_whole_nrrd_is_not_unpacked_once_more(tmp_path, monkeypatch):
    for name in ("a.nrrd", "a.nhdr"):
        write_volume(tmp_path / name, Volume(NOISE, GRID))
    monkeypatch.delattr("MusclePropLib.core.nrrd.unpacked_bytes")
    for name in ("a.nrrd", "a.nhdr"):
        np.testing.assert_array_equal(read_volume(tmp_path / name).array, NOISE)


def with_row(path, column, value, quaternion=0):
    """Change one number of the first row of the NIfTI's matrix; without the quaternion that matrix alone counts."""
    whole = bytearray(written(path))
    struct.pack_into("<2h", whole, 252, quaternion, 1)
    struct.pack_into("<f", whole, 280 + 4 * column, value)
    path.write_bytes(whole)


@pytest.mark.parametrize("quaternion", [0, 1])
def test_a_grid_that_is_not_finite(tmp_path, quaternion):
    with_row(tmp_path / "a.nii", 0, np.nan, quaternion)
    for read in (read_volume, read_segmentation):
        assert "does not say where the voxels lie" in fault(tmp_path / "a.nii", read)


def test_a_sheared_nifti(tmp_path):
    with_row(tmp_path / "a.nii", 1, 0.3)
    message = fault(tmp_path / "a.nii")
    assert "not at right angles (sheared); resample" in message and "orthonormal" not in message


@pytest.mark.parametrize("compressed", [True, False])
def test_a_metaimage_that_breaks_off(tmp_path, compressed):
    path = tmp_path / "a.mha"
    sitk.WriteImage(image_of(NOISE, GRID), path, compressed)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "cannot be read (the file breaks off" in fault(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NDims = 3", "NDims = x"),
        ("ElementDataFile", "Element"),
        ("TransformMatrix = 1 0 0 0 1 0 0 0 1", "TransformMatrix = 0 0 0 0 0 0 0 0 0"),
        ("ElementSpacing = 0.25", "ElementSpacing = 0"),
    ],
)
def test_a_metaimage_whose_header_is_damaged(tmp_path, old, new):
    path = tmp_path / "a.mhd"
    sitk.WriteImage(image_of(NOISE, GRID), path)
    whole = path.read_text(encoding="utf-8")
    assert old in whole
    path.write_text(whole.replace(old, new), encoding="utf-8")
    assert "its header is damaged" in fault(path)


def test_a_metaimage_whose_voxels_are_missing_or_break_off(tmp_path):
    sitk.WriteImage(image_of(NOISE, GRID), tmp_path / "a.mhd")
    voxels = tmp_path / "a.raw"
    voxels.write_bytes(voxels.read_bytes()[:-1000])
    assert "a.raw, breaks off" in fault(tmp_path / "a.mhd")
    voxels.unlink()
    message = fault(tmp_path / "a.mhd")
    assert "a.raw, is missing" in message and "No such file" not in message


def write(path):
    write_volume(path, Volume(NOISE, GRID))


@pytest.mark.parametrize("use", [open_image, is_dicom, series_reader, write])
def test_a_name_that_is_not_utf8_is_refused(tmp_path, use):
    """It would end the whole process in SimpleITK."""
    with pytest.raises(InputError, match="the name is not valid UTF-8; rename the file") as caught:
        use(tmp_path / "m\udcfcller.nrrd")
    assert "ller.nrrd: " in str(caught.value).encode().decode()


def test_a_compressed_nifti_is_read_as_before(tmp_path):
    write_volume(tmp_path / "a.nii.gz", Volume(NOISE, GRID))
    volume = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume.array, NOISE)
    assert volume.geometry.matches(GRID)
