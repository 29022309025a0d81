"""Draw training curves, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from tasks.pretrain.checkpoint import Checkpoint


def loss_figure(checkpoints: Sequence[Checkpoint]) -> bytes:
    """Loss over pairs seen, one line a trial, smoothed over a twentieth of the run; controls are dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for held in checkpoints:
        steps = len(held.losses)
        if not steps:
            continue
        width = max(1, steps // 20)
        smooth = np.convolve(held.losses, np.ones(width) / width, mode="valid")
        seen = (np.arange(len(smooth)) + width) * (held.samples_seen / steps)
        control = held.trial.arm.control != "none"
        axes.plot(seen, smooth, label=held.trial.label, linestyle=":" if control else "-")
    axes.set_xlabel("pairs seen")
    axes.set_ylabel("loss (dotted: controls)")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
