"""The recipe: one strict, frozen model that holds every setting of a run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from models.registry import current_options
from models.typed import ServerAddress
from storage.plain import is_dict, is_list
from storage.roots import wrong_root
from tasks.recipe.base import LARGEST_SEED, Section
from tasks.recipe.curation import Rules
from tasks.recipe.paths import at_home
from tasks.recipe.sources import SourceSection, SourcesSection
from tasks.recipe.training import EvaluateSection, TrainSection
from tasks.recipe.workers import RaySection, WorkersSection

__all__ = ["LARGEST_SEED", "EvaluateSection", "Recipe", "Section", "SourceSection", "SourcesSection", "TrainSection"]


File = Annotated[str, Field(min_length=1), AfterValidator(at_home)]
"""A file or folder; ``~`` becomes the home folder, a variable is refused."""


class StorageSection(Section):
    """Where the store is. ``managed`` starts a SeaweedFS of our own and puts a bucket in it."""

    root: File = Field(default="managed", description="managed, s3://BUCKET/PREFIX, or a local folder")
    endpoint: ServerAddress | None = Field(
        default=None, description="address of an S3 server, http://HOST:PORT; None: Amazon's"
    )
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = Field(
        default=None, description="S3 region; None: AWS_REGION, AWS_DEFAULT_REGION or us-east-1, the first that is set"
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

    age: tuple[Annotated[str, Field(pattern=_BAND)], ...] = Field(
        default=(), description="bands of years, such as 40-59"
    )
    sex: tuple[Annotated[str, Field(pattern=_WORDS)], ...] = Field(default=(), description="such as female, male")
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

    bank: File = Field(
        default="phantom", description="phantom, or a CSV, YAML, JSON or Parquet file of typed entities"
    )
    label_set: File | None = Field(
        default=None, description="label set of the bank's labels, by name or as a file; None: the phantom's"
    )
    per_report: dict[str, int] = Field(
        default={"abnormality": 1, "disease": 1, "non_abnormality": 1, "non_disease": 1, "anatomy": 1},
        description="entities of each type in a report; one each suits the phantom's short bank",
    )
    max_use: int | None = Field(
        default=None, ge=1, description="tau: most accepted reports that may hold one entity; None: no bound"
    )
    target: Literal["uniform", "square_root", "empirical"] = Field(
        default="uniform",
        description="distribution of the entities over the reports; all but uniform follow the bank's counts",
    )
    constraints: str = Field(
        default="phantom",
        description="rules on what one report may not hold. generic: contradictions, opposites, findings at places "
        "that do not fit; phantom: also findings that exclude each other on a phantom film; none: an entity twice",
    )
    cooccurrence: File | None = Field(
        default=None, description="file of pairs that a corpus never holds together, applied beside the constraints"
    )
    axes: AxesSection | None = Field(
        default=None, description="values of age, sex and view, dealt evenly; None: reports and prompts name none"
    )
    licence: str | None = Field(default=None, description="SPDX expression of the bank; None: unknown for a file")
    credentialed: bool | None = Field(
        default=None, description="whether the bank comes from data under a use agreement; None: unknown for a file"
    )


class Component(Section):
    """A generator: its kind, the options that the kind takes, and the terms of its weights."""

    kind: str = Field(description="name of the implementation; the page of kinds lists them")
    options: dict[str, Any] = Field(
        default_factory=dict, description="arguments of the implementation; the page of kinds lists them"
    )
    licence: str | None = Field(
        default=None, description="SPDX expression of the weights; None: that of the model's card"
    )
    credentialed: bool | None = Field(
        default=None,
        description="whether the weights were trained on data under a use agreement; None: as the model's card has it",
    )


class ReportSection(Section):
    """The report generator, its decoding and how often a report is tried."""

    generator: Component = Field(default=Component(kind="vllm"), description="what writes the reports")
    attempts: int = Field(default=3, ge=1, le=20, description="times a report is tried before its sample is rejected")
    summarise_again: bool = Field(
        default=False, description="rewrite an IMPRESSION in fewer words where the image generator would cut it off"
    )
    error_budget: float = Field(
        default=0.2, ge=0, le=1, description="largest share of a shard that may be lost to a failing engine"
    )


class ImageSection(Section):
    """The image generator and how often an image is tried."""

    generator: Component = Field(default=Component(kind="diffusers"), description="what draws the images")
    attempts: int = Field(default=3, ge=1, le=20, description="times an image is tried before its sample is rejected")
    batch: int = Field(
        default=16, ge=1, description="images that are generated and then scored by the gates at a time"
    )
    prompt_axes: bool = Field(
        default=False, description="put plan.axes before the prompt: '62 year old female, PA view.'"
    )


class GateSpec(Section):
    """One gate and the score below which a sample fails it."""

    kind: str = Field(description="name of the gate; the page of kinds lists them")
    threshold: float = Field(description="lowest score that passes; most gates score from 0 to 1, higher is better")
    options: dict[str, Any] = Field(
        default_factory=dict, description="arguments of the gate; the page of kinds lists them"
    )
    allow_unjudged: tuple[str, ...] = Field(
        default=(),
        description="entities of the bank, by id or term, that pass where the gate cannot judge them; '*': any entity",
    )

    @model_validator(mode="before")
    @classmethod
    def _by_names_of_today(cls, value: Any) -> Any:
        if not is_dict(value) or not is_dict(options := value.get("options")):
            return value
        return {**value, "options": current_options(str(value.get("kind")), options)}

    @field_validator("allow_unjudged", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if is_list(value) else value


class TrackSection(Section):
    """MLflow. ``managed`` is SQLite in the state folder with artifacts in the store."""

    uri: File = Field(default="managed", description="managed, or the address of an MLflow server or database")
    experiment: str = Field(default="synthcxr", min_length=1, description="name of the MLflow experiment")


class Recipe(Section):
    """A whole run, a field for each line of a profile. `tasks.recipe.fingerprint` lists what changes no sample."""

    profile: str = Field(default="local", description="name of the profile that the recipe was read from")
    dataset: str = Field(
        default="phantom-cxr", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="name of the dataset in the store"
    )
    version: str = Field(
        default="auto",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="name of the dataset version; auto: v- and ten digits of the recipe's fingerprint",
    )
    pairs: int = Field(default=512, ge=1, le=10**9, description="accepted pairs that the version is to hold")
    shard_size: int = Field(
        default=64, ge=1, le=10**6, description="samples of a shard, the unit that is committed, resumed and repeated"
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="seed of the dataset, not of training")
    engine: Literal["inline", "ray"] = Field(
        default="inline", description="inline: stages run in this process; ray: in workers of their own on a cluster"
    )
    ray: RaySection = Field(default=RaySection(), description="the cluster of the engine ray")
    workers: WorkersSection = Field(
        default=WorkersSection(), description="workers of each stage; they count for the engine ray only"
    )
    top_up: float = Field(
        default=1.5,
        ge=1.0,
        le=1000,
        description="samples planned at most, per pair of `pairs`, to replace rejected ones",
    )
    cost_per_hour: float = Field(
        default=0.08, ge=0, description="price of the machine per hour, from which the cost per accepted pair follows"
    )
    storage: StorageSection = Field(default=StorageSection(), description="where the store is")
    plan: PlanSection = Field(default=PlanSection(), description="which entities the reports hold")
    reports: ReportSection = Field(default=ReportSection(), description="how reports are generated")
    images: ImageSection = Field(default=ImageSection(), description="how images are generated")
    report_gates: tuple[GateSpec, ...] = Field(description="gates on the text, in the order in which they run")
    image_gates: tuple[GateSpec, ...] = Field(description="gates on the image, in the order in which they run")
    sources: SourcesSection = Field(default=SourcesSection(), description="datasets that are not generated")
    pretrain: TrainSection = Field(default=TrainSection(), description="what is trained, and how")
    evaluate: EvaluateSection = Field(default=EvaluateSection(), description="how the trained models are compared")
    curate: Rules = Field(default=Rules(), description="rules of the selection that the arms train on")
    tracking: TrackSection = Field(default=TrackSection(), description="where MLflow keeps the runs")

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
