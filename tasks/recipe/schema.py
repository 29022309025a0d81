"""The recipe: one strict, frozen model that says everything about a run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from models.typed import ServerAddress
from storage.plain import is_list
from storage.roots import wrong_root
from tasks.recipe.base import LARGEST_SEED, Section
from tasks.recipe.curation import Rules
from tasks.recipe.paths import at_home
from tasks.recipe.sources import SourceSection, SourcesSection
from tasks.recipe.training import EvaluateSection, TrainSection

__all__ = ["LARGEST_SEED", "EvaluateSection", "Recipe", "Section", "SourceSection", "SourcesSection", "TrainSection"]


File = Annotated[str, Field(min_length=1), AfterValidator(at_home)]
"""A file or folder; ``~`` becomes the home folder, a variable is refused."""


class StorageSection(Section):
    """Where the store is. ``managed`` starts a SeaweedFS of our own and puts a bucket in it."""

    root: File = "managed"
    endpoint: ServerAddress | None = None
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = Field(
        default=None, description="None takes AWS_REGION, AWS_DEFAULT_REGION or us-east-1"
    )

    @field_validator("root")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        wrong = wrong_root(value)
        if wrong or value.lower() == "managed" != value:
            raise ValueError(wrong or f"{value!r} would be a folder of that name: write managed")
        return value


_BAND = r"^\d{1,3}-\d{1,3}$"
_WORDS = r"^[A-Za-z0-9][A-Za-z0-9 /-]{0,31}$"


class AxesSection(Section):
    """Axes that are dealt evenly beside the entities; an axis without values is not dealt."""

    age: tuple[Annotated[str, Field(pattern=_BAND)], ...] = Field(default=(), description="bands of years, 40-59")
    sex: tuple[Annotated[str, Field(pattern=_WORDS)], ...] = ()
    view: tuple[Annotated[str, Field(pattern=_WORDS)], ...] = Field(default=(), description="projections, such as PA")

    @model_validator(mode="after")
    def _sound(self) -> AxesSection:
        for name, values in self:
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names a value twice: {', '.join(values)}")
        for band in self.age:
            low, high = (int(end) for end in band.split("-"))
            if low > high:
                raise ValueError(f"the age band {band} ends before it starts")
        if not (self.age or self.sex or self.view):
            raise ValueError("no axis has a value: name values of age, sex or view, or leave plan.axes empty")
        return self


class PlanSection(Section):
    """Entities and how many of each type a report holds (paper section 2: k = 9 and m = 3)."""

    bank: File = "phantom"
    label_set: File | None = Field(
        default=None, description="what the bank's labels are of: a label set or a file with one; None: the phantom's"
    )
    per_report: dict[str, int] = Field(
        default={"abnormality": 1, "disease": 1, "non_abnormality": 1, "non_disease": 1, "anatomy": 1}
    )
    max_use: int | None = Field(default=None, ge=1, description="tau: how often one entity may be used at most")
    target: Literal["uniform", "square_root", "empirical"] = Field(
        default="uniform", description="how often entities are asked for; all but uniform follow the bank's counts"
    )
    constraints: str = "phantom"
    cooccurrence: File | None = Field(
        default=None, description="a file of pairs that a corpus never shows together, beside the constraints"
    )
    axes: AxesSection | None = Field(default=None, description="age, sex and view, dealt evenly")
    licence: str | None = Field(default=None, description="SPDX expression for the bank; None: unknown for a file")
    credentialed: bool | None = Field(default=None, description="the bank comes from data under a use agreement")


class Component(Section):
    """A named implementation with its options, passed to the factory that the registry holds."""

    kind: str
    options: dict[str, Any] = Field(default_factory=dict)
    licence: str | None = Field(default=None, description="SPDX expression; None takes what the model's card says")
    credentialed: bool | None = Field(default=None, description="trained on data under a use agreement")


class ResourcesSection(Section):
    """What one worker of a stage holds on a cluster; it counts for the engine ``ray`` only."""

    gpus: float | None = Field(
        default=None, ge=0, le=64, description="None takes what the generator needs; a fraction shares one GPU"
    )
    cpus: float = Field(default=1, ge=0, le=4096)
    memory_gib: float | None = Field(default=None, gt=0, description="main memory to reserve; None reserves none")
    workers: int | None = Field(default=None, ge=1, description="None is as many as the GPUs allow")
    python: File | None = Field(
        default=None, description="the workers' interpreter, such as one that has xformers but no vLLM"
    )
    node: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")] | None = Field(
        default=None, description="a Ray resource of the machines that can run the stage, one for each worker"
    )

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, value: float | None) -> float | None:
        if value is not None and value > 1 and value != int(value):
            raise ValueError(f"{value:g} GPUs cannot be held: give a whole number, or a fraction below 1")
        return value


class ReportSection(Section):
    """The report generator, its decoding and how often a report is tried."""

    generator: Component = Component(kind="vllm")
    attempts: int = Field(default=3, ge=1, le=20)
    summarise_again: bool = Field(
        default=False, description="say an IMPRESSION again in fewer words where the image generator cuts it off"
    )
    error_budget: float = Field(
        default=0.2, ge=0, le=1, description="largest share of a shard that may be lost to a failing engine"
    )
    resources: ResourcesSection = ResourcesSection()


class ImageSection(Section):
    """The image generator and how often an image is tried."""

    generator: Component = Component(kind="diffusers")
    attempts: int = Field(default=3, ge=1, le=20)
    batch: int = Field(default=16, ge=1)
    prompt_axes: bool = Field(
        default=False, description="put plan.axes before the prompt: '62 year old female, PA view.'"
    )
    resources: ResourcesSection = ResourcesSection()


class GateSpec(Section):
    """One gate and the score below which a sample fails it."""

    kind: str
    threshold: float
    options: dict[str, Any] = Field(default_factory=dict)
    allow_unjudged: tuple[str, ...] = Field(
        default=(),
        description="entities of the bank, by id or term, that the gate need not know; '*' stands for anything",
    )

    @field_validator("allow_unjudged", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if is_list(value) else value


class TrackSection(Section):
    """MLflow. ``managed`` is SQLite in the state folder with artifacts in the store."""

    uri: File = "managed"
    experiment: str = Field(default="synthcxr", min_length=1)


class Recipe(Section):
    """A whole run. Every field is a line of the profile; `tasks.recipe.fingerprint` says which change samples."""

    profile: str = "local"
    dataset: str = Field(default="phantom-cxr", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    version: str = Field(default="auto", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    pairs: int = Field(default=512, ge=1, le=10**9)
    shard_size: int = Field(default=64, ge=1, le=10**6)
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    engine: Literal["inline", "ray"] = "inline"
    top_up: float = Field(
        default=1.5, ge=1.0, le=1000, description="most samples planned per pair asked before the run gives up"
    )
    cost_per_hour: float = Field(
        default=0.08, ge=0, description="currency per machine hour, for cost per accepted pair"
    )
    storage: StorageSection = StorageSection()
    plan: PlanSection = PlanSection()
    reports: ReportSection = ReportSection()
    images: ImageSection = ImageSection()
    report_gates: tuple[GateSpec, ...]
    image_gates: tuple[GateSpec, ...]
    sources: SourcesSection = SourcesSection()
    pretrain: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    curate: Rules = Rules()
    tracking: TrackSection = TrackSection()

    @field_validator("version")
    @classmethod
    def _no_tag_of_the_store(cls, version: str) -> str:
        if version == "latest":
            raise ValueError("latest is the tag that follows by itself; write auto, or a name of your own")
        return version

    @model_validator(mode="after")
    def _enough_pairs_to_train(self) -> Recipe:
        if self.pretrain.pairs is not None and self.pretrain.pairs > self.pairs:
            raise ValueError(
                f"pretrain.pairs is {self.pretrain.pairs}, but the run makes only {self.pairs} pairs: "
                "lower pretrain.pairs or raise pairs"
            )
        return self
