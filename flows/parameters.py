"""The fields of a flow's form, and the decorator that shows them as flat parameters in Prefect."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, cleandoc
from typing import Annotated, Any, TypeVar

from prefect import Flow, flow
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Form = TypeVar("Form", bound=BaseModel)
R = TypeVar("R")


class FlowParameters(BaseModel):
    """The fields of every flow that works on a recipe; an empty one leaves the profile's value."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    profile: str = Field(default="local", description="Name of a profile, or path of a YAML file.")
    pairs: int | None = Field(default=None, description="Pairs of the dataset version.")
    dataset: str | None = Field(default=None, description="Name of the dataset.")
    seed: int | None = Field(default=None, description="Seed of the dataset.")
    engine: str | None = Field(default=None, description="Where shards are worked on: inline or ray.")
    storage_root: str | None = Field(default=None, description="managed, a folder, or an s3:// address.")
    overrides: tuple[str, ...] = Field(default=(), description="Any other field of the recipe, as KEY=VALUE.")
    recipe: str | None = Field(
        default=None,
        description="The whole recipe as YAML, in place of the profile and of every field above. A flow gives it to "
        "its subflows, so that an edit of the profile in mid-run changes nothing.",
    )
    parent_run: str | None = Field(default=None, description="Id of the MLflow run to join; empty begins a run.")

    def changes(self) -> list[str]:
        """What the fields change in the profile, as ``KEY=VALUE``."""
        flat = {"pairs": self.pairs, "dataset": self.dataset, "seed": self.seed, "engine": self.engine}
        flat["storage.root"] = self.storage_root
        return [*(f"{key}={value}" for key, value in flat.items() if value is not None), *self.overrides]


def factory_flow(form: type[Form], run_name: str = "{profile}") -> Callable[[Callable[[Form], R]], Flow[..., R]]:
    """Make a Prefect flow of a function that takes one form.

    Prefect, its forms and its deployments see every field of `form` as a parameter of its own, with its description.

    Args:
        form: a frozen pydantic model.
        run_name: what follows the flow's name in the name of a flow run; it may name fields in braces.
    """

    def decorate(body: Callable[[Form], R]) -> Flow[..., R]:
        @wraps(body)
        def run(**fields: Any) -> R:
            return body(form(**fields))

        parameters = [_parameter(name, field) for name, field in form.model_fields.items()]
        run.__signature__ = Signature(parameters, return_annotation=Signature.empty)  # pyright: ignore[reportAttributeAccessIssue]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__doc__ = f"{body.__doc__}\n\nArgs:\n" + "\n".join(
            f"    {name}: {field.description}" for name, field in form.model_fields.items() if field.description
        )
        name, summary = body.__name__, cleandoc(body.__doc__ or "")
        return flow(name=name, description=summary, flow_run_name=f"{name}-{run_name}")(run)

    return decorate


def _parameter(name: str, field: FieldInfo) -> Parameter:
    """A field as a parameter of a function, by keyword only: Prefect hands parameters over by name."""
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    default = Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
