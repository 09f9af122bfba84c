r"""Organs, bones and muscles in public CT and MR as benchmark cases: for `organs.py` to measure on.

    git clone https://github.com/wasserth/TotalSegmentator
    python Testing/benchmarks/public_organs.py TotalSegmentator -o organs

takes volumes that TotalSegmentator tests itself with (Apache-2.0), and the labels it found there: of a CT at 3 mm
twelve structures, of an MR at 3 mm all that take up nine slices and five hundred voxels, and of two CTs of the chest at
1.5 mm what its reports on aorta and heart measure.
"""

import argparse
from pathlib import Path

import SimpleITK as sitk

FILES = Path("tests/reference_files")
SOURCES = {
    "ct": ("example_ct.nii.gz", "example_seg_fast_force_split.nii.gz"),
    "mr": ("example_mr_sm.nii.gz", "example_seg_mr.nii.gz"),
}
STRUCTURES = {
    "ct": {
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
    },
    "mr": {
        1: "spleen",
        2: "kidney_right",
        3: "kidney_left",
        4: "gallbladder",
        5: "liver",
        6: "stomach",
        7: "pancreas",
        14: "duodenum",
        15: "colon",
        19: "vertebrae",
        20: "intervertebral_discs",
        21: "spinal_cord",
        23: "aorta",
        25: "portal_vein_and_splenic_vein",
        46: "autochthon_left",
        47: "autochthon_right",
    },
}
CHEST = {
    "aorta_report/test_result/models": ("aorta", "aorta_true_lumen", "aorta_false_lumen", "vertebrae_T12"),
    "pulmonary_report/models": ("heart", "pulmonary_artery"),
}
"""Folders with a file each for the image and for every structure."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a clone of TotalSegmentator's repository")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for ct/NAME/image.nrrd and so on")
    args = parser.parse_args()
    files = args.checkout / FILES
    for source, names in SOURCES.items():
        image, labels = (sitk.ReadImage(files / name) for name in names)
        for value, name in STRUCTURES[source].items():
            write(args.output / source / name, image, labels == value)
    for folder, names in CHEST.items():
        image = sitk.ReadImage(files / folder / "ct_cropped.nii.gz")
        for name in names:
            mask = sitk.ReadImage(files / folder / f"{name}.nii.gz") > 0
            write(
                args.output / "chest" / name,
                image,
                sitk.Resample(mask, image, sitk.Transform(), sitk.sitkNearestNeighbor),
            )


def write(folder, image, mask):
    """One case; some masks are on a larger grid than the image."""
    folder.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.Cast(image, sitk.sitkInt16), folder / "image.nrrd", True)
    sitk.WriteImage(mask, folder / "label.nrrd", True)


if __name__ == "__main__":
    main()
