import shutil

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from MusclePropLib.core.errors import InputError
from MusclePropLib.core.geometry import Geometry
from MusclePropLib.core.measurements.placed import on_grid
from MusclePropLib.core.measurements.recording import measure
from MusclePropLib.core.segmentation import segmentation_from_labels
from MusclePropLib.core.volumes import Volume, read_volume, write_volume

FRAMES, ROWS, COLUMNS = 6, 5, 7
ARRAY = np.random.default_rng(0).integers(1, 255, (FRAMES, ROWS, COLUMNS), np.uint8)
STEPS = np.array([0.0, 1.0, 2.5, 2.0, 4.0, 6.0])


def poses(along=STEPS, pixel=(0.2, 0.1), turn=(0.3, -0.5, 0.9), sideways=0.0):
    """Image-to-world matrices of frames at `along` mm on their normal, of (row, column) size `pixel`."""
    matrices = np.tile(np.eye(4), (len(along), 1, 1))
    axes = Rotation.from_rotvec(turn).as_matrix()
    matrices[:, :3, :3] = axes * [pixel[1], pixel[0], 1.0]
    matrices[:, :3, 3] = 40 + np.outer(along, axes[:, 2]) + np.outer(np.sin(along) * sideways, axes[:, 0])
    return matrices


def text(matrix):
    return " ".join(f"{v:.9g}" for v in np.ravel(matrix))


def igs_mha(path, fields, z_axis=False):
    """What IGSIO writes (vtkIGSIOMetaImageSequenceIO)."""
    size = f"{COLUMNS} {ROWS} 1 {FRAMES}" if z_axis else f"{COLUMNS} {ROWS} {FRAMES}"
    dims = 4 if z_axis else 3
    head = [
        "ObjectType = Image",
        f"NDims = {dims}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        f"DimSize = {size}",
        f"ElementSpacing = {' '.join('1' * dims)}",
        "Offset = " + " ".join("0" * dims),
        "TransformMatrix = " + text(np.eye(dims)),
        "ElementType = MET_UCHAR",
        "UltrasoundImageOrientation = MFA",
        *(f"{key} = {value}" for key, value in fields.items()),
        "ElementDataFile = LOCAL\n",
    ]
    path.write_bytes("\n".join(head).encode() + ARRAY.tobytes())
    return path


def igs_nrrd(path, fields):
    """What IGSIO writes (vtkIGSIONrrdSequenceIO)."""
    head = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 3",
        "space dimension: 2",
        f"sizes: {COLUMNS} {ROWS} {FRAMES}",
        "space directions: (1,0) (0,1) none",
        "kinds: domain domain list",
        "endian: little",
        "encoding: raw",
        "space origin: (0,0)",
        *(f"{key}:={value}" for key, value in fields.items()),
    ]
    path.write_bytes("\n".join(head).encode() + b"\n\n" + ARRAY.tobytes())
    return path


def frame_fields(matrices, name="ImageToReference", prefix="Seq_Frame", lost=()):
    fields = {}
    for frame, matrix in enumerate(matrices):
        fields[f"{prefix}{frame:04d}_{name}Transform"] = text(matrix)
        fields[f"{prefix}{frame:04d}_{name}TransformStatus"] = "INVALID" if frame in lost else "OK"
        fields[f"{prefix}{frame:04d}_Timestamp"] = f"{frame / 10:.3f}"
    return fields


@pytest.mark.parametrize("prefix", ["Seq_Frame", "SequenceFrame"])
@pytest.mark.parametrize(("write", "suffix"), [(igs_mha, ".igs.mha"), (igs_nrrd, ".igs.nrrd")])
def test_sequence_positions_and_pixel_size_come_from_the_poses(tmp_path, write, suffix, prefix):
    volume = read_volume(write(tmp_path / ("sweep" + suffix), frame_fields(poses(), prefix=prefix)))
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.slice_positions(), STEPS, atol=1e-6)
    np.testing.assert_allclose(volume.geometry.spacing, [STEPS[-1] / (FRAMES - 1), 0.2, 0.1], rtol=1e-6)


def test_frames_stored_with_a_third_axis_of_one(tmp_path):
    volume = read_volume(igs_mha(tmp_path / "sweep.igs.mha", frame_fields(poses()), z_axis=True))
    np.testing.assert_array_equal(volume.array, ARRAY)
    np.testing.assert_allclose(volume.slice_positions(), STEPS, atol=1e-6)


@settings(max_examples=30)
@given(
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    offset=st.tuples(*[st.floats(-300, 300)] * 3),
    sideways=st.floats(0, 3),
    steps=st.lists(st.floats(-0.5, 3), min_size=3, max_size=9),
)
def test_positions_do_not_depend_on_where_the_tracker_stands(turn, offset, sideways, steps):
    from MusclePropLib.core.tracked import sweep_from_fields

    along = np.concatenate([[0.0], np.cumsum(steps)])
    assume(abs(along[-1]) > 1e-6)  # a sweep that ends where it began has no direction
    world = np.eye(4)
    world[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    world[:3, 3] = offset
    fields = frame_fields(world @ poses(along, sideways=sideways))
    sweep = sweep_from_fields(fields, (len(along), ROWS, COLUMNS), "sweep")
    expected = along if along[-1] >= 0 else -along
    np.testing.assert_allclose(sweep.positions, expected, atol=1e-4)


def test_a_moving_leg_is_taken_out(tmp_path):
    leg = poses(along=np.linspace(0, 9, FRAMES), pixel=(1.0, 1.0), turn=(0, 0, 0.4))
    fields = frame_fields(leg @ poses(), "ImageToTracker") | frame_fields(leg, "ReferenceToTracker")
    volume = read_volume(igs_mha(tmp_path / "sweep.igs.mha", fields))
    np.testing.assert_allclose(volume.slice_positions(), STEPS, atol=1e-5)


def test_a_calibration_in_the_header_gives_pixel_size_and_normal(tmp_path):
    probe = poses(pixel=(1.0, 1.0))
    calibration = np.diag([0.1, 0.2, 0.1, 1.0])
    calibration[:3, 3] = 5, -3, 2
    fields = frame_fields(probe, "ProbeToTracker") | {"ImageToProbeTransform": text(calibration)}
    volume = read_volume(igs_mha(tmp_path / "sweep.igs.mha", fields))
    np.testing.assert_allclose(volume.slice_positions(), STEPS, atol=1e-5)
    np.testing.assert_allclose(volume.geometry.spacing[1:], [0.2, 0.1], rtol=1e-6)


def test_without_calibration_the_movement_gives_the_direction_and_the_header_the_pixels(tmp_path):
    volume = read_volume(igs_mha(tmp_path / "sweep.igs.mha", frame_fields(poses(pixel=(1.0, 1.0)), "ProbeToTracker")))
    np.testing.assert_allclose(volume.slice_positions(), STEPS, atol=1e-5)
    assert volume.geometry.spacing == (1, 1, 1) and volume.header is None


@pytest.mark.parametrize("part", [slice(None), slice(1, 4)])
def test_a_drawing_on_the_grid_of_a_header_without_calibration_is_taken_over(tmp_path, part):
    """Or on a part of it, as Slicer writes it."""
    path = igs_mha(tmp_path / "sweep.igs.mha", frame_fields(poses()))
    volume = read_volume(path)
    affine = volume.header.affine.copy()
    affine[:, 3] = affine @ [part.start or 0, 0, 0, 1]
    labels = (ARRAY > 100).astype(np.uint8)
    drawn = segmentation_from_labels(labels[part], Geometry(labels[part].shape, affine))
    moved = on_grid(drawn, volume)
    assert moved.geometry.matches(volume.geometry)
    np.testing.assert_array_equal(moved.layers[0][part], labels[part])
    assert measure(drawn, volume).muscles[0].volume_ml == measure(moved, volume).muscles[0].volume_ml


def test_lost_poses_are_interpolated(tmp_path):
    along = np.arange(FRAMES) * 1.5
    matrices = poses(along)
    matrices[2] = 0
    matrices[4] = np.eye(4)
    volume = read_volume(igs_mha(tmp_path / "sweep.igs.mha", frame_fields(matrices, lost=(2, 4))))
    np.testing.assert_allclose(volume.slice_positions(), along, atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Seq_Frame0000_Timestamp": "1"}, "without poses"),
        (frame_fields(poses(), lost=range(1, FRAMES)), "fewer than two frames"),
        (frame_fields(poses(along=np.zeros(FRAMES))), "does not move"),
        ({"Seq_Frame0001_ImageToReferenceTransform": "1 0 0"}, "not a 4 x 4 matrix"),
    ],
)
def test_faults_of_sequences(tmp_path, fields, words):
    path = igs_mha(tmp_path / "sweep.igs.mha", fields)
    with pytest.raises(InputError, match=words) as caught:
        read_volume(path)
    assert str(path) in str(caught.value)


def write_csv(folder, matrices, reduction=3, rows=None):
    """A table for frames recorded at `reduction` times the stored resolution."""
    recorded = matrices.copy()
    recorded[:, :3, :2] /= reduction
    table = np.column_stack([np.arange(FRAMES), np.arange(FRAMES) * 100, recorded[:, :3].reshape(FRAMES, 12)])
    np.savetxt(folder / "frames.csv", table[:rows], delimiter=",", header="frame_index,timestamp_ms,M00,...")


def test_a_table_of_poses_beside_the_image(tmp_path):
    write_volume(tmp_path / "image.nrrd", Volume(ARRAY, Geometry.from_spacing(ARRAY.shape, (1.2, 0.2, 0.1))))
    write_csv(tmp_path, poses())
    volume = read_volume(tmp_path / "image.nrrd")
    np.testing.assert_allclose(volume.slice_positions(), STEPS, atol=1e-6)
    assert volume.geometry.matches(Geometry.from_spacing(ARRAY.shape, (1.2, 0.2, 0.1)))


@pytest.mark.parametrize("content", [None, "frame,x\n1,2\n", "1,2,3\n4,5,6\n"])
def test_a_table_that_does_not_fit(tmp_path, content):
    write_volume(tmp_path / "image.nrrd", Volume(ARRAY, Geometry.from_spacing(ARRAY.shape, (1.2, 0.2, 0.1))))
    write_csv(tmp_path, poses(), rows=FRAMES - 1)
    if content:
        (tmp_path / "frames.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"frames\.csv"):
        read_volume(tmp_path / "image.nrrd")


def test_the_real_sweep(real):
    volume = read_volume(real / "us_leg_fibula_sweepA" / "image.nrrd")
    positions = volume.slice_positions()
    assert volume.array.shape == (215, 270, 316)
    assert positions[0] == 0 and 260 < positions[-1] < 270
    assert np.diff(positions).min() < 0 < np.median(np.diff(positions)) < 2
    np.testing.assert_allclose(volume.geometry.spacing, [1.395, 0.16176, 0.16176])


def test_the_real_sweep_without_its_table_is_an_even_grid(real, tmp_path):
    shutil.copy(real / "us_leg_fibula_sweepA" / "image.nrrd", tmp_path)
    assert read_volume(tmp_path / "image.nrrd").positions is None
