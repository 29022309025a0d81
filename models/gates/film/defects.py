"""The default film gate: how surely a film is none of the planted defects."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from torch.nn import functional as F

from models.contracts import GateScore
from models.device import device_of
from models.gates.film.view import FilmBatch, FilmGate
from models.nets.defect_net import CLASSES, DefectNet, films_to_tensor, load_defect_net
from models.nets.shipped import SHIPPED
from models.typed import AnyPath, Count


class FilmDefects(FilmGate):
    """How surely a film is none of the planted defects, 0..1; the likeliest defect is named.

    Args:
        folder: where ``defects.safetensors`` and ``defects.json`` lie.
        batch: films at a time.
    """

    name = "film_defects"

    def __init__(self, folder: AnyPath = SHIPPED, batch: Count = 64) -> None:
        self._folder, self._batch = Path(folder), batch

    @cached_property
    def _net(self) -> tuple[DefectNet, str]:
        return load_defect_net(self._folder)

    @torch.inference_mode()
    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """See the class. Leaves the features, from which the default bad bank goes on."""
        net, revision = self._net
        starts = range(0, len(films.raw), self._batch)
        parts = [net.embed(films_to_tensor(films.raw[at : at + self._batch]).to(device_of(net))) for at in starts]
        if not parts:
            return []
        features = torch.cat(parts)
        films.features[revision] = features.cpu().numpy()
        scores: list[GateScore] = []
        for chances in F.softmax(net.head(features).double(), 1).tolist():
            worst = max(range(1, len(CLASSES)), key=lambda place: chances[place])
            reason = f"likest a film that is {CLASSES[worst]} ({chances[worst]:.2f})"
            scores.append(GateScore(self.name, chances[0], reason, revision))
        return scores
