"""The options of the vision-language gate, and its default questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from models.language.options import Dtype, EngineOptions
from models.typed import Count, Options, Side

QUESTIONS: tuple[str, ...] = (
    "Is this picture an X-ray of a chest?",
    "Is the body in this picture that of a human?",
    "Is this a frontal view, seen from the front or from the back?",
    "Is the picture good enough to read: sharp, with contrast, and free of strong noise?",
    "Is the body upright and whole in the picture, with no frame, text or patch over it?",
    "Does this picture look like a real film rather than a drawing or a failed copy?",
)


class VisionJudgeOptions(Options):
    """Options of the kind ``vision_judge``."""

    model: str = Field(
        description="a folder or hub id of a model that vLLM serves with images (InternVL, Qwen-VL, LLaVA)"
    )
    rule: Literal["all_no", "any_no", "k_of_n"] = Field(
        default="all_no",
        description="which answers make a film bad: `all_no` only when all are no, `any_no` when any is, `k_of_n` "
        "when at least `k` are",
    )
    k: Count = Field(default=2, description="how many answers of no make a film bad under `k_of_n`")
    questions: Sequence[str] = Field(default=QUESTIONS, description="each answered with yes by a good film")
    side: Side | None = Field(
        default=None,
        description="films are enlarged or reduced to this many pixels a side; null leaves them as they are",
    )
    max_model_len: Count = Field(default=2048, description="most tokens of a question with its film")
    dtype: Dtype = Field(
        default=None, description="of the weights; null is bfloat16 on a CPU and the model's own on a GPU"
    )
    engine: EngineOptions = Field(
        default=None, description="further arguments of `vllm.LLM`, but no code and no credentials"
    )

    @model_validator(mode="after")
    def _as_many_questions_as_answers(self) -> Self:
        if not self.questions or self.k > len(self.questions):
            raise ValueError(f"k is {self.k}, but there are {len(self.questions)} questions")
        return self
