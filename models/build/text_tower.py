"""Train the text tower: a small CLIP text model that reads findings out of an IMPRESSION.

It learns from text alone, which the phantom hospital writes without end, and is frozen afterwards: the
denoiser then meets states that already say which findings are asked, on which side, in which zone, how severe.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.build.fit import Run, fit
from models.compat import torchvision_ready
from models.nets.slots import SLOTS
from models.training.distributed import rank, world_size
from models.training.trainer import TrainerOptions, TrainingTask

VOCABULARY, TOKENS, WIDTH = 1200, 77, 160
BATCH, SEED = 64, 5  # a batch per process
START, END = "<|startoftext|>", "<|endoftext|>"


def new_tokenizer(texts: Iterable[str], folder: Path) -> Any:
    """Learn byte-pair merges from `texts` the way `CLIPTokenizer` applies them and save it under `folder`."""
    torchvision_ready()
    from tokenizers import trainers
    from transformers import CLIPTokenizer

    blank = CLIPTokenizer()
    backend = blank.backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, end_of_word_suffix="</w>", special_tokens=[START, END], show_progress=False,
        initial_alphabet=sorted(_bytes()),
    )  # fmt: skip
    backend.train_from_iterator(texts, trainer)
    learned = json.loads(backend.to_str())["model"]
    pieces = dict(learned["vocab"])
    for sign in sorted(_bytes()):  # a byte that is in no text must still be spelt at the end of a word
        pieces.setdefault(sign + "</w>", len(pieces))
    merges: Any = [tuple(merge) for merge in learned["merges"]]
    tokenizer = CLIPTokenizer(vocab=pieces, merges=merges, model_max_length=TOKENS)
    tokenizer.save_pretrained(folder)
    return tokenizer


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer saved under `folder`."""
    torchvision_ready()
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder)


def _bytes() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return ByteLevel.alphabet()


def new_text_model(tokenizer: Any) -> Any:
    """A `CLIPTextModel` of three layers for that tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=3,
            num_attention_heads=4, max_position_embeddings=TOKENS, projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


class _Reader(nn.Module):
    """The text model with two heads: one reads the mean state, one lets every slot look for its own words."""

    def __init__(self, text_model: Any) -> None:
        super().__init__()
        self.text_model = text_model
        self.mean_head = nn.Linear(WIDTH, len(SLOTS))
        self.queries = nn.Parameter(torch.randn(len(SLOTS), WIDTH) * WIDTH**-0.5)
        self.values = nn.Parameter(torch.randn(len(SLOTS), WIDTH) * WIDTH**-0.5)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        states = self.text_model(input_ids=ids).last_hidden_state
        looks = (states @ self.queries.T).softmax(1)
        found = torch.einsum("bts,btd,sd->bs", looks, states, self.values)
        return self.mean_head(states.mean(1)), found


def train_text_tower(write: Callable[[int], tuple[str, Tensor]], tokenizer: Any, run: Run) -> Any:
    """Fit on endless text: `write(n)` gives the n-th text and its slot vector.

    Returns:
        The `CLIPTextModel`, frozen, in evaluation mode.
    """
    torch.manual_seed(SEED)
    reader = _Reader(new_text_model(tokenizer))

    def batch(step: int) -> tuple[Tensor, Tensor]:
        first = (step * world_size() + rank()) * BATCH
        texts, targets = zip(*(write(first + i) for i in range(BATCH)), strict=True)
        return token_ids(tokenizer, texts), torch.stack(targets)

    def loss(inputs: tuple[Tensor, Tensor]) -> Tensor:
        ids, target = inputs
        mean, search = (F.binary_cross_entropy_with_logits(head, target) for head in reader(ids))
        return mean + search

    fit("text tower", reader, TrainingTask(batch, loss), run, TrainerOptions(seed=SEED, average=0.999))
    texts, targets = zip(*(write(10**9 + i) for i in range(512)), strict=True)
    with torch.no_grad():
        heads = reader(token_ids(tokenizer, texts))
    mean, search = (float(((head > 0) == (torch.stack(targets) > 0.5)).all(1).float().mean()) for head in heads)
    run.progress(f"text tower reads every slot of {mean:.1%} (mean) and {search:.1%} (search) texts")
    return reader.text_model.requires_grad_(False).eval()


def token_ids(tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """Int64 (n, 77), cut and padded as the pipeline does it."""
    return tokenizer(
        list(texts), padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


@torch.no_grad()
def read(text_model: Any, tokenizer: Any, texts: Sequence[str], batch: int = 256) -> Tensor:
    """Hidden states (n, 77, width), bfloat16 to keep a whole archive's in memory."""
    parts = [
        text_model(input_ids=token_ids(tokenizer, texts[start : start + batch])).last_hidden_state.bfloat16()
        for start in range(0, len(texts), batch)
    ]
    return torch.cat(parts)
