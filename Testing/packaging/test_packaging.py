"""What makes the extension whole: file lists, catalogue entry, sample data, and imports that cost nothing."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK

sys.path.insert(0, str(Path(__file__).resolve().parent))
import repository
from cmake_lists import LISTS, REPOSITORY, listed, on_disk

from MusclePropLib.core.defaults import DEFAULT_MUSCLES
from MusclePropLib.core.drawings import FILLED_TAG
from MusclePropLib.core.seg_fields import parse_tags

CMAKE = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
HEAVY = ("torch", "cv2", "skimage", "safetensors", "tqdm", "matplotlib", "itk")
"""Not in Slicer before the set-up, or too slow to import in its window."""


@pytest.mark.parametrize("key", LISTS)
def test_lists_name_exactly_what_is_there(key):
    assert listed(*key) == on_disk(*key), "run: python Testing/packaging/cmake_lists.py"


def value(name):
    return re.search(rf'set\({name} "([^"]*)"', CMAKE)[1]


def test_catalogue_entry_agrees_with_the_extension():
    entry = json.loads((REPOSITORY / "MuscleProp.json").read_text(encoding="utf-8"))
    assert entry["build_dependencies"] == value("EXTENSION_DEPENDS").split()
    assert entry["scm_url"].removesuffix(".git") == value("EXTENSION_HOMEPAGE")


@pytest.mark.parametrize("name", ["EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"])
def test_images_in_the_catalogue_are_in_the_repository(name):
    for url in value(name).split():
        path = REPOSITORY / url.split("/main/", 1)[1]
        assert path.read_bytes().startswith(b"\x89PNG"), path


def test_icon_is_128_pixels():
    header = (REPOSITORY / "MuscleProp/Resources/Icons/MuscleProp.png").read_bytes()[16:24]
    assert [int.from_bytes(header[i : i + 4], "big") for i in (0, 4)] == [128, 128]


def test_the_projects_address_is_the_same_everywhere_and_can_be_moved(tmp_path):
    owner_and_name = repository.homepage().removeprefix("https://github.com/")
    assert set(repository.others()) == {owner_and_name}
    for name in repository.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((REPOSITORY / name).read_text(encoding="utf-8"), encoding="utf-8")
    repository.move("https://github.com/a-lab/muscles", tmp_path)
    assert set(repository.others(tmp_path)) == {"a-lab/muscles"}
    assert len(repository.others(tmp_path)) == len(repository.others())


def test_what_pip_installs_has_the_weights_and_finds_them(tmp_path):
    source, place = tmp_path / "source", tmp_path / "place"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    for name in ("MusclePropLib", "Resources"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    # Without the second, pip would take away what the tests run on.
    options = ["--quiet", "--ignore-installed", "--no-deps", "--no-build-isolation", "--prefix", str(place)]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(source)], cwd=tmp_path, check=True, capture_output=True
    )
    (package,) = place.rglob("MusclePropLib/__init__.py")
    say = "from MusclePropLib.core.guided import bundled as b; b.pretrained('bundled', 0); print(b._path('bundled'))"
    installed = {**os.environ, "PYTHONPATH": str(package.parents[1])}
    found = subprocess.run([sys.executable, "-c", say], cwd=tmp_path, env=installed, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()).is_relative_to(place.resolve())


def test_licence_and_size():
    assert (REPOSITORY / "LICENSE").is_file()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=False).stdout
    files = [REPOSITORY / name for name in tracked.decode().split("\0") if name]
    assert sum(f.stat().st_size for f in files if f.is_file()) < 100e6


def test_sample_data_is_what_its_checksums_say():
    text = (REPOSITORY / "MusclePropLib/gui/sample_data.py").read_text(encoding="utf-8")
    named = dict(re.findall(r'"(SimulatedCalf[\w.-]*)": "([0-9a-f]{64})"', text))
    folder = REPOSITORY / "MuscleProp/Resources/SampleData"
    assert named == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_sample_data_names_the_default_muscles_and_says_that_nothing_is_filled():
    path = REPOSITORY / "MuscleProp/Resources/SampleData/SimulatedCalf-annotations.seg.nrrd"
    image = SimpleITK.ReadImage(path)
    for number, muscle in enumerate(DEFAULT_MUSCLES):
        tags = parse_tags(image.GetMetaData(f"Segment{number}_Tags"))
        assert tags["TerminologyEntry"] == muscle.terminology and tags[FILLED_TAG] == "{}"


def test_requirements_are_the_packages_own():
    """What Slicer installs for the worker: all that pyproject names, but for what Slicer brings, and torch."""
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    wanted = set(re.findall(r'^    "([^"]+)",$', project.split("dependencies = [")[1].split("]")[0], re.M))
    in_slicer = {w for w in wanted if re.match(r"(numpy|scipy|SimpleITK|pydicom|vtk|torch)\b", w)}
    lines = (REPOSITORY / "MuscleProp/Resources/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == wanted - in_slicer


@pytest.mark.parametrize("layer", ["scene", "jobs", "gui"])
def test_slicer_s_side_needs_nothing_that_slicer_lacks(layer):
    """Import every module of a layer with the heavy packages forbidden; what the worker runs is left out."""
    folder = REPOSITORY / "MusclePropLib" / layer
    names = [f"MusclePropLib.{layer}.{p.stem}" for p in folder.glob("*.py") if p.stem not in ("__init__", "worker")]
    pytest.importorskip("slicer_core", reason="the slicer-core wheel is not installed")
    pytest.importorskip("PySide6", reason="PySide6 is not installed")
    code = f"""
import sys
sys.path[:0] = {[str(REPOSITORY), str(REPOSITORY / "Testing"), str(REPOSITORY / "Testing/gui")]!r}
import slicer_scene; slicer_scene.new_scene()
import slicer
from harness import application
application.install(slicer.app.applicationLogic)
for name in {HEAVY!r}:
    sys.modules[name] = None
import importlib
for name in {names!r}:
    importlib.import_module(name)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
