"""A vision-language model as gate: six yes/no questions per film (paper section 1, in our words), through vLLM."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from models.contracts import Candidate, GateScore
from models.gates.cost import priced
from models.gates.film.view import film_of
from models.gates.film.vision_options import VisionJudgeOptions

ANSWER = " Answer with one word, Yes or No."
SPELLINGS = {"yes": ("Yes", "yes", "YES", " Yes", " yes", " YES"), "no": ("No", "no", "NO", " No", " no", " NO")}
LITTLE = 0.5  # less of the probability than this on yes or no: the model is not answering the question


class VisionJudge:
    """How likely the answer yes is that decides under `rule`; 0.5 or more is a yes. The engine starts on first use.

    A film is bad when all answers are no (`all_no`, the paper's rule, very lax), when any is (`any_no`), or when at
    least `k` are (`k_of_n`): so the score is the largest, the least, or the k-th least P(yes).

    P(yes) is read from the distribution of the first token without any grammar, as the share of the one-token
    spellings of yes in those of yes and no together; the reason notes where they hold little of the distribution.

    Args:
        options: see `VisionJudgeOptions`.
    """

    name = "vision_judge"
    options_model = VisionJudgeOptions

    def __init__(self, options: VisionJudgeOptions) -> None:
        self.options = options
        self.model, self.rule, self.side = options.model, options.rule, options.side
        self.questions = tuple(options.questions)
        self.place = {"all_no": len(self.questions), "any_no": 1, "k_of_n": options.k}[options.rule] - 1

    @cached_property
    def _weights(self) -> Any:
        from models.language.resolve import resolve

        return resolve(self.model)

    @cached_property
    def llm(self) -> Any:
        """The running ``vllm.LLM``."""
        from models.language.vllm_engine import start_engine

        options = {"limit_mm_per_prompt": {"image": 1}, "max_logprobs": 64} | dict(self.options.engine or {})
        return start_engine(self._weights, self.options.max_model_len, self.options.dtype, options)

    @cached_property
    def _spelt(self) -> dict[str, list[int]]:
        """Tokens that alone spell each answer: what a tokenizer cuts in two cannot be read from one token."""
        tokenizer = self.llm.get_tokenizer()
        found: dict[str, list[int]] = {}
        for answer, spellings in SPELLINGS.items():
            ids = [tokenizer.encode(spelling, add_special_tokens=False) for spelling in spellings]
            found[answer] = sorted({each[0] for each in ids if len(each) == 1})
            if not found[answer]:
                raise ValueError(f"{self.model}: its tokenizer has no single token for {answer!r}; use another model")
        return found

    @priced
    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """See the class. A film with values that are no numbers scores 0 unseen."""
        films = [film_of(candidate) for candidate in batch]
        seen = [at for at, film in enumerate(films) if np.isfinite(film).all()]
        answers = dict(zip(seen, self.ask([films[at] for at in seen]), strict=True))
        return [self._score(answers.get(at)) for at in range(len(films))]

    def ask(self, films: Sequence[np.ndarray]) -> list[list[tuple[float, float]]]:
        """Per film and question P(yes) and the probability that yes and no hold together, all 0..1."""
        if not films:
            return []
        spelt = self._spelt  # starts the engine, which mends what importing vLLM would break on
        from vllm import SamplingParams

        params = SamplingParams(temperature=0, max_tokens=1, logprob_token_ids=[*spelt["yes"], *spelt["no"]])
        chats = [self._chat(_picture(film, self.side), question) for film in films for question in self.questions]
        replies = self.llm.chat(chats, params, use_tqdm=False)
        read = [_read(reply.outputs[0].logprobs[0], spelt) for reply in replies]
        width = len(self.questions)
        return [read[at : at + width] for at in range(0, len(read), width)]

    def _chat(self, picture: Any, question: str) -> list[dict[str, Any]]:
        parts = [{"type": "image_pil", "image_pil": picture}, {"type": "text", "text": question + ANSWER}]
        return [{"role": "user", "content": parts}]

    def _score(self, answers: list[tuple[float, float]] | None) -> GateScore:
        if answers is None:
            return GateScore(self.name, 0.0, "values are no numbers", self.revision)
        chances = [yes for yes, _ in answers]
        reason = "P(yes) " + " ".join(f"{yes:.2f}" for yes in chances)
        least = min(mass for _, mass in answers)
        if least < LITTLE:
            reason += f"; only {least:.0%} of the distribution is on yes or no"
        return GateScore(self.name, sorted(chances)[self.place], reason, self.revision)

    @property
    def revision(self) -> str:
        """Name, revision and hash of the weights."""
        return f"{self._weights.name}@{self._weights.revision}:{self._weights.sha256[:12]}"


def _read(logprobs: Mapping[int, Any], spelt: Mapping[str, Sequence[int]]) -> tuple[float, float]:
    """P(yes) among yes and no, and the probability of both together."""
    yes, no = (sum(math.exp(logprobs[i].logprob) for i in spelt[answer]) for answer in ("yes", "no"))
    return (yes / (yes + no) if yes + no > 0 else 0.0), yes + no


def _picture(film: np.ndarray, side: int | None) -> Any:
    from PIL import Image

    grey = np.clip(film, 0, 255).astype(np.uint8)
    if side is not None:
        grey = cv2.resize(
            grey, (side, side), interpolation=cv2.INTER_AREA if side < grey.shape[0] else cv2.INTER_CUBIC
        )
    return Image.fromarray(grey).convert("RGB")
