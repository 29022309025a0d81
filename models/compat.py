"""Repair what two published builds get wrong about each other, before either is used."""

from __future__ import annotations

_SHIM: list[object] = []


def torchvision_ready() -> None:
    """Make ``import torchvision`` work when a CUDA build of it stands beside a CPU build of torch.

    Call it before the first import of transformers, vllm or open_clip. Detection operators stay unusable;
    nothing here needs them. It does nothing where the builds match or the operators exist already.
    """
    import torch

    if _SHIM or torch.version.cuda is not None:
        return
    if torch._C._dispatch_has_kernel("torchvision::nms"):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                   "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):  # fmt: skip
        library.define(schema)
    _SHIM.append(library)  # the definitions live as long as the library object
