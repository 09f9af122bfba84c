"""The part of the LabelProp rival that runs inside LabelProp's own environment."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np


def compute(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Train on `image` (slices, rows, columns) with the sparse `labels`, and propagate them: {"labels": uint8}.

    Beyond the outermost labels, too, if `extrapolate` says so.
    """
    _do_without_torchvision()
    from labelprop import DataLoading
    from labelprop.napari_entry import train_and_infer
    from torch.utils.data import DataLoader

    # LabelProp starts sixteen loading processes for its one item: they cost minutes here and change no result.
    DataLoading.LabelPropDataModule.train_dataloader = lambda self: DataLoader(self.train_dataset, 1)
    both_directions_fused = train_and_infer(
        img=arrays["image"],
        mask=arrays["labels"],
        pretrained_ckpt=None,
        shape=int(arrays["size"]),
        max_epochs=int(arrays["epochs"]),
        z_axis=0,
        output_dir=".",
        name="labelprop",
        device="cpu",
        extrapolate=bool(arrays["extrapolate"]),
    )[2]
    return {"labels": both_directions_fused.astype(np.uint8)}


def _do_without_torchvision() -> None:
    """LabelProp imports torchvision and uses none of it; let it start where none fits the torch that is there.

    Its own requirements come first: they look whether torchvision is there, and must not find the empty one.
    """
    import kornia  # noqa: F401
    import lightning  # noqa: F401
    import monai  # noqa: F401

    try:
        import torchvision.transforms.functional  # noqa: F401
    except ImportError:
        for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
            sys.modules[name] = ModuleType(name)
