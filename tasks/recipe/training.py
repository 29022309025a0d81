"""The sections of a recipe on what is trained: arms as values, the objective and the compute."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from models.device import Device
from models.vlp.text import Text
from models.vlp.text_tower import TextTower
from tasks.recipe.base import LARGEST_SEED, KindSpec, Section

SYNTHETIC = "synthetic"
"""In a mix: the run's own dataset version, as its selection left it."""

ArmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]


class MixEntry(Section):
    """Pairs of one source in an arm's mix. Of `weight`, `share` and `count` at most one is given."""

    source: str = Field(
        min_length=1, description="a key of `sources`, `synthetic`, or a spelling of a source such as NAME@VERSION"
    )
    weight: float | None = Field(
        default=None, gt=0, le=1e6,
        description="part of the arm's pairs, relative to the other weights of the mix; 1 where no measure is given",
    )  # fmt: skip
    share: float | None = Field(
        default=None, gt=0, le=1e6, description="pairs as a multiple of an arm's pairs, whatever else is in the mix"
    )
    count: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None, description="number of pairs, or all of the source"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_measure(self) -> MixEntry:
        given = [name for name in ("weight", "share", "count") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"source {self.source!r} has a {' and a '.join(given)}: give one of them")
        return self

    @property
    def measure(self) -> str:
        """Which of ``weight``, ``share`` and ``count`` sets how many pairs are taken."""
        return "count" if self.count is not None else "share" if self.share is not None else "weight"


class ArmSection(Section):
    """What one arm trains on, and how; its name is a label that nothing reads."""

    mix: tuple[MixEntry, ...] = Field(default=(), description="sources of its pairs; empty for control random alone")
    schedule: Literal["mix", "then"] = Field(
        default="mix",
        description="mix: every batch draws from all sources; then: one source after the other, in order",
    )
    control: Literal["none", "shuffled", "random"] = Field(
        default="none",
        description="shuffled: the texts are permuted over the images, so nothing can be learnt; "
        "random: the initial random weights, untrained",
    )
    objective: KindSpec | None = Field(default=None, description="what is minimised; None: pretrain.objective")
    text: Text = Field(
        default="sentence",
        description="part of a report that a training step reads; sentence: one at random, nine times of ten",
    )
    samples_seen: int | None = Field(
        default=None, ge=8, description="pairs through the model, epochs counted; None: pretrain.samples_seen"
    )

    @model_validator(mode="after")
    def _sound(self) -> ArmSection:
        sources = [entry.source for entry in self.mix]
        if self.control == "random":
            given = [
                name for name in sorted(self.model_fields_set - {"control"}) if getattr(self, name) != _default(name)
            ]
            if given:
                raise ValueError(f"control random is not trained: leave {', '.join(given)} out")
        elif not self.mix:
            raise ValueError("mix is empty: name a source, or set control to random")
        if len(set(sources)) < len(sources):
            raise ValueError("mix names a source twice: give it once, with its weight")
        if len({entry.measure for entry in self.mix}) > 1:
            raise ValueError("mix has entries by weight, share and count: give all of them the same")
        if self.schedule == "then" and len(self.mix) < 2:
            raise ValueError("schedule then needs two sources, one after the other")
        return self


def _default(name: str) -> Any:
    return ArmSection.model_fields[name].default


def standard_arms() -> dict[str, ArmSection]:
    """The arms of the paper's comparison, and three controls."""
    real, synthetic = MixEntry(source="real"), MixEntry(source=SYNTHETIC)
    whole = tuple(MixEntry(source=source, share=1.0) for source in ("real", SYNTHETIC))
    return {
        "real": ArmSection(mix=(real,)),
        "synthetic": ArmSection(mix=(synthetic,)),
        "mixed": ArmSection(mix=(real, synthetic)),
        "mixed_full": ArmSection(mix=whole),
        "random": ArmSection(control="random"),
        "shuffled_synthetic": ArmSection(mix=(synthetic,), control="shuffled"),
        "shuffled_mixed": ArmSection(mix=(real, synthetic), control="shuffled"),
    }


STANDARD_COMPARISONS: tuple[tuple[str, str], ...] = (
    ("real", "random"),
    ("synthetic", "real"),
    ("synthetic", "shuffled_synthetic"),
    ("synthetic", "random"),
    ("mixed", "real"),
    ("mixed", "shuffled_mixed"),
    ("mixed", "random"),
    ("mixed_full", "real"),
    ("mixed_full", "random"),
)
"""What the standard arms are compared with: the real one, their own control, and no training."""


class TrainSection(Section):
    """Pretraining: the arms, the seeds, the objective and the compute that each arm gets."""

    seeds: tuple[Seed, ...] = Field(
        default=(0,),
        min_length=1,
        max_length=1000,
        description="seeds of training; each arm is trained once with each",
    )
    objective: KindSpec = Field(
        default=KindSpec(kind="clip"), description="what is minimised, unless an arm has its own"
    )
    arms: dict[ArmName, ArmSection] = Field(
        default_factory=standard_arms,
        min_length=1,
        description="arms by name; without it, the paper's and three controls",
    )
    only: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="names of the arms to train and score; None: all"
    )
    pairs: int | None = Field(
        default=None, ge=8, description="pairs of an arm; None: as many as the smaller of real and synthetic has"
    )
    samples_seen: int = Field(
        default=12_288, ge=8, description="pairs through the model, epochs counted; the same for every arm"
    )
    epochs: float | None = Field(
        default=None, gt=0, le=100_000, description="passes over an arm's pairs, in place of samples_seen; None: that"
    )
    matched: Literal["compute", "epochs"] = Field(
        default="compute",
        description="what arms have in common; compute: samples_seen; epochs: passes over their own pairs, as many as "
        "samples_seen is over the pairs of an arm, so an arm of twice the pairs sees twice as many",
    )
    batch: int = Field(default=32, ge=4, description="pairs of a training step, over all processes")
    micro_batch: int | None = Field(
        default=None, ge=1,
        description="pairs whose activations a process holds at once; the gradients stay those of the whole batch. "
        "None: all of its part of the batch",
    )  # fmt: skip
    checkpoint_activations: bool = Field(
        default=False, description="compute activations anew for the gradient, which takes less memory and more time"
    )
    text_cache_megabytes: int = Field(
        default=1024, ge=0, description="MB a process holds of what a frozen text tower makes of texts; 0: none"
    )
    optimiser: Literal["adamw", "sgd"] = Field(default="adamw", description="AdamW with betas 0.9 and 0.98, or SGD")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="highest rate, from which a cosine falls to 0")
    warmup: float = Field(default=0.1, ge=0, le=1, description="share of the steps over which the rate rises from 0")
    weight_decay: float = Field(default=0.1, ge=0, le=10, description="on matrices alone")
    average: float | None = Field(
        default=None, gt=0, lt=1, description="decay of a moving average of the weights, which is kept; None: the last"
    )
    threads: int | None = Field(
        default=None, ge=1, le=4096, description="CPU threads; None: as many as there are cores"
    )
    device: Device = Field(
        default="auto", description="cpu, cuda or cuda:N; auto: CUDA where there is a GPU, else cpu"
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="of the arithmetic in training, by autocast; weights stay in float32"
    )
    model: str = Field(default="synthcxr-tiny", description="name of an open_clip model, such as ViT-B-16")
    text_tower: TextTower | None = Field(
        default=None, description="a text encoder of transformers in place of the model's own; None: its own"
    )
    save_minutes: float | None = Field(
        default=1, gt=0, le=10_000, description="minutes after which a state to go on from is kept; None: never"
    )
    save_steps: int | None = Field(
        default=None, ge=1, description="steps after which a state to go on from is kept; None: never"
    )
    processes: int = Field(
        default=1, ge=1, le=1024,
        description="processes that share every batch in equal parts; on GPUs one each",
    )  # fmt: skip
    sync_batch_norm: bool = Field(
        default=True,
        description="on GPUs batch norm takes the statistics of the whole batch over all processes; false: each those "
        "of its part",
    )
    launcher: Literal["local", "ray"] = Field(
        default="local", description="what starts the processes; local: this program, on this machine; ray: Ray Train"
    )
    ray_address: str | None = Field(
        default=None, pattern=r"^[^\s/:]+:\d+$",
        description="HOST:PORT of the Ray cluster to train on; None: a Ray of its own on this machine",
    )  # fmt: skip
    loader_workers: int = Field(
        default=1, ge=0, le=256,
        description="threads that decode streamed images, and batches that are made ahead; 0: none ahead",
    )  # fmt: skip
    cache_megabytes: int = Field(
        default=256, ge=0, description="MB of decoded images held in memory; a corpus beyond it is streamed"
    )

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names a seed twice")
        return value

    @model_validator(mode="after")
    def _shared_batch(self) -> TrainSection:
        if self.batch % self.processes:
            raise ValueError(
                f"a batch of {self.batch} cannot be shared by {self.processes} processes: take a multiple of them"
            )
        if self.processes > 1 and ":" in self.device:
            raise ValueError(
                f"device {self.device!r} is one GPU, which {self.processes} processes cannot share: set cuda or auto"
            )
        if self.ray_address is not None and self.launcher != "ray":
            raise ValueError("ray_address is for launcher ray: set that, or leave it out")
        return self

    @property
    def chosen(self) -> dict[str, ArmSection]:
        """The arms that are trained and scored, in their order."""
        return {name: arm for name, arm in self.arms.items() if self.only is None or name in self.only}


class EvaluateSection(Section):
    """Evaluation on the held-out test set: the tasks, what is compared, and how scores are made of predictions."""

    tasks: tuple[KindSpec, ...] = Field(
        default=(KindSpec(kind="zero_shot"),), min_length=1, description="evaluation tasks that every checkpoint runs"
    )
    comparisons: tuple[tuple[str, str], ...] | None = Field(
        default=None,
        description="pairs of arms: score of the first less that of the second; None: those of the standard arms",
    )
    bootstrap: int = Field(default=1000, ge=10, le=100_000, description="resamples behind each interval")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="coverage of the intervals")
    device: Device = Field(
        default="auto", description="cpu, cuda or cuda:N; auto: CUDA where there is a GPU, else cpu"
    )
    uncertain: Literal["refuse", "ignore", "positive", "negative"] = Field(
        default="refuse",
        description="how test labels of -1, or without a value, are read: ignore leaves them out, refuse is an error",
    )

    def compared(self, arms: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """The comparisons of which both arms are among `arms`."""
        pairs = STANDARD_COMPARISONS if self.comparisons is None else self.comparisons
        return tuple(pair for pair in pairs if set(pair) <= set(arms))
