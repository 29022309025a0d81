"""The cluster of the engine `ray`, and the workers of each stage on it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from tasks.recipe.base import Section
from tasks.recipe.paths import at_home

_NODE = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"
_HOST_PORT = r"^(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?):[1-9][0-9]{0,4}$"


class RaySection(Section):
    """Where the engine `ray` runs; nothing of it is taken from the environment."""

    address: Annotated[str, Field(pattern=_HOST_PORT)] | None = Field(
        default=None,
        description="HOST:PORT of a running cluster's head; None: a cluster of its own on this machine, and never one "
        "that happens to run there or that RAY_ADDRESS names",
    )


class RuntimeEnvSection(Section):
    """What Ray starts a worker with. Ray logs it and its dashboard shows it, so no variable can be set here."""

    py_executable: Annotated[str, Field(min_length=1), AfterValidator(at_home)] | None = Field(
        default=None, description="the workers' interpreter, such as one that has xformers but no vLLM"
    )
    image_uri: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="the container image that the workers run in"
    )


class WorkerSection(Section):
    """The workers of a stage, and what one of them holds."""

    gpus: float | None = Field(
        default=None,
        ge=0,
        le=64,
        description="GPUs of one worker, all of one machine; a fraction shares one; None: as many as the generator "
        "needs, and its CPU on a cluster that has none",
    )
    cpus: float = Field(default=1, ge=0, le=4096, description="CPU cores of one worker")
    memory: float | None = Field(
        default=None, gt=0, le=1 << 20, description="main memory of one worker in GiB; None reserves none"
    )
    least: int = Field(default=1, ge=1, le=10_000, description="workers that must find a place")
    most: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="workers that the stage grows to while there is room; None: any number",
    )
    node: Annotated[str, Field(pattern=_NODE)] | None = Field(
        default=None, description="a Ray resource of the machines that can run the stage, one for each worker"
    )
    runtime_env: RuntimeEnvSection = Field(default=RuntimeEnvSection(), description="what Ray starts a worker with")

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, value: float | None) -> float | None:
        if value is not None and value > 1 and value != int(value):
            raise ValueError(f"{value:g} GPUs cannot be held: give a whole number, or a fraction below 1")
        return value

    @model_validator(mode="after")
    def _least_before_most(self) -> WorkerSection:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most is {self.most}, but least is {self.least}: lower least or raise most")
        return self

    def environment(self) -> dict[str, Any]:
        """What is set of the runtime environment, by Ray's names."""
        return self.runtime_env.model_dump(exclude_none=True)


class WorkersSection(Section):
    """The workers of each stage."""

    reports: WorkerSection = Field(default=WorkerSection(), description="what writes the reports")
    images: WorkerSection = Field(default=WorkerSection(), description="what draws the images")
