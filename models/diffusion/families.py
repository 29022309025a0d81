"""What differs between the text-to-image pipelines of diffusers that we draw with, one `Family` per class."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from models.compat import torchvision_ready
from models.contracts import ModelNotFound

SCHEDULERS = {
    "ddim": "DDIMScheduler",
    "dpmsolver++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "flow-dpmsolver++": "DPMSolverMultistepScheduler",
    "flow-euler": "FlowMatchEulerDiscreteScheduler",
    "pndm": "PNDMScheduler",
    "unipc": "UniPCMultistepScheduler",
}
NOISE = ("ddim", "dpmsolver++", "euler", "pndm", "unipc")  # for models that predict noise or velocity
LIBRARIES = ("diffusers", "transformers")
OPTIONAL = ("safety_checker", "feature_extractor", "image_encoder")  # drawing from text needs none of them


@dataclass(frozen=True, slots=True)
class Tower:
    """A tokenizer with its text encoder; `limit` in tokens, None takes the tokenizer's own."""

    tokenizer: str
    encoder: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """One pipeline class.

    Args:
        towers: its text encoders.
        reads: ``min`` where every tower must read a token for it to count (their states are joined by feature),
            ``max`` where one is enough (joined by position).
        denoiser: its module that takes the steps.
        schedulers: names of `SCHEDULERS` that its model can be sampled with.
        options: passed with every call.
        load: passed when it is loaded.
        xformers: whether its attention has an xformers kernel.
        plain_states: whether a text is one tensor of states, without pooled ones or a mask.
    """

    towers: tuple[Tower, ...]
    reads: Callable[[Iterable[int]], int] = min
    denoiser: str = "transformer"
    schedulers: tuple[str, ...] = NOISE
    options: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    xformers: bool = True
    plain_states: bool = False


_FIRST = Tower("tokenizer", "text_encoder")
_SECOND = Tower("tokenizer_2", "text_encoder_2")


def _long(limit: int, **options: Any) -> dict[str, Any]:
    """A T5 or Gemma tower that reads `limit` tokens, of the caption as it stands, at the size asked for."""
    call_options = {"max_sequence_length": limit, "clean_caption": False, "use_resolution_binning": False, **options}
    return {"towers": (Tower("tokenizer", "text_encoder", limit),), "options": call_options}


FAMILIES: Mapping[str, Family] = {
    "StableDiffusionPipeline": Family(
        (_FIRST,), denoiser="unet", load={"safety_checker": None, "requires_safety_checker": False}, plain_states=True
    ),
    "StableDiffusionXLPipeline": Family((_FIRST, _SECOND), denoiser="unet", load={"add_watermarker": False}),
    # Its CLIP towers cut a prompt at 77 tokens, but T5 reads on: what only T5 has read still reaches the film.
    "StableDiffusion3Pipeline": Family(
        (_FIRST, _SECOND, Tower("tokenizer_3", "text_encoder_3", 256)), reads=max, schedulers=("flow-euler",),
        options={"max_sequence_length": 256},
    ),
    "SanaPipeline": Family(
        **_long(300, complex_human_instruction=None),  # no prompt of its own before ours
        schedulers=("flow-dpmsolver++", "flow-euler"), xformers=False,
    ),
    "PixArtAlphaPipeline": Family(**_long(120)),
    "PixArtSigmaPipeline": Family(**_long(300)),
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A pipeline's folder: its class, its parts, and how many tokens it reads.

    Raises:
        ModelNotFound: another class than those of `FAMILIES`, or a part that brings code of its own.
    """

    folder: Path

    @cached_property
    def index(self) -> dict[str, Any]:
        """``model_index.json``."""
        path = self.folder / "model_index.json"
        index = json.loads(path.read_text())
        name = index.get("_class_name")
        if name not in FAMILIES:
            raise ModelNotFound(f"{path}: _class_name is {name!r}; pipelines that draw films: {', '.join(FAMILIES)}")
        for part, origin in index.items():
            foreign = isinstance(origin, list) and origin[0] is not None and origin[0] not in LIBRARIES
            if foreign and part not in OPTIONAL:
                raise ModelNotFound(
                    f"{path}: {part} comes from {origin[0]!r}, whose code is never run; save the pipeline with parts "
                    f"of {' and '.join(LIBRARIES)} only"
                )
        return index

    @property
    def family(self) -> Family:
        """What this pipeline's class needs."""
        return FAMILIES[self.index["_class_name"]]

    @cached_property
    def towers(self) -> list[tuple[Any, int]]:
        """Tokenizer and token limit of every text encoder that is there: SD3 may come without its T5."""
        torchvision_ready()
        import transformers

        found = []
        for tower in self.family.towers:
            if (self.index.get(tower.encoder) or [None])[0] is None:
                continue
            kind = getattr(transformers, self.index[tower.tokenizer][1])
            tokenizer = kind.from_pretrained(self.folder / tower.tokenizer, local_files_only=True)
            found.append((tokenizer, tower.limit or int(tokenizer.model_max_length)))
        return found

    @property
    def token_limit(self) -> int:
        """Tokens of a prompt that are read, special ones included; see `Family.reads`."""
        return self.family.reads(limit for _, limit in self.towers)

    def count_tokens(self, prompts: Sequence[str]) -> list[int]:
        """Tokens of each prompt, uncut, special ones included: the most among the towers that set the limit."""
        if not prompts:
            return []
        setting = [tokenizer for tokenizer, limit in self.towers if limit == self.token_limit]
        counts = [tokenizer(list(prompts), truncation=False, verbose=False).input_ids for tokenizer in setting]
        return [max(len(ids) for ids in each) for each in zip(*counts, strict=True)]

    def scheduler(self, name: str, config: Mapping[str, Any]) -> Any:
        """The scheduler called `name` with the settings of the pipeline's own.

        Raises:
            ValueError: this pipeline's model was not trained for it.
        """
        if name not in self.family.schedulers:
            raise ValueError(
                f"scheduler {name!r} cannot sample a {self.index['_class_name']}: leave scheduler out, or choose "
                f"{' or '.join(self.family.schedulers)}"
            )
        from diffusers import schedulers

        kind = getattr(schedulers, SCHEDULERS[name])
        if not name.startswith("flow-"):
            return kind.from_config(config)
        shift = config.get("flow_shift", config.get("shift", 1.0))  # the two kinds name the same thing differently
        if name == "flow-euler":
            return kind.from_config(config, shift=shift)
        return kind.from_config(config, flow_shift=shift, use_flow_sigmas=True, prediction_type="flow_prediction")
