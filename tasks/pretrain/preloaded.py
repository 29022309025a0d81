"""What a training imports, which takes seconds: imported once in the process that ranks are forked from."""

from __future__ import annotations

import models.training.trainer
import tasks.pretrain.ranks
from models.vlp.library import open_clip

LOADED = (open_clip(), models.training.trainer, tasks.pretrain.ranks)
