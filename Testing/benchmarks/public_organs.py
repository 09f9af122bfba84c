r"""Organs and muscles in one public CT as benchmark cases: for `organs.py` to measure on.

    git clone https://github.com/wasserth/TotalSegmentator
    python Testing/benchmarks/public_organs.py TotalSegmentator -o organs

takes the trunk at 3 mm that TotalSegmentator tests itself with (Apache-2.0), and the labels it found there.
"""

import argparse
from pathlib import Path

import SimpleITK as sitk

FILES = Path("tests/reference_files")
IMAGE, LABELS = FILES / "example_ct.nii.gz", FILES / "example_seg_fast_force_split.nii.gz"
ORGANS = {
    1: "spleen",
    2: "kidney_right",
    5: "liver",
    6: "stomach",
    21: "urinary_bladder",
    75: "femur_left",
    77: "hip_left",
    80: "gluteus_maximus_left",
    82: "gluteus_medius_left",
    84: "gluteus_minimus_left",
    86: "autochthon_left",
    88: "iliopsoas_left",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a clone of TotalSegmentator's repository")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for NAME/image.nrrd and label.nrrd")
    args = parser.parse_args()
    image = sitk.Cast(sitk.ReadImage(args.checkout / IMAGE), sitk.sitkInt16)
    labels = sitk.ReadImage(args.checkout / LABELS)
    for value, name in ORGANS.items():
        folder = args.output / name
        folder.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, folder / "image.nrrd", True)
        sitk.WriteImage(labels == value, folder / "label.nrrd", True)


if __name__ == "__main__":
    main()
