"""Join an MLflow run that another flow has begun, in this process or in another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from storage.addresses import redact
from tasks.track.address import check_address
from tasks.track.artifacts import store_of
from tasks.track.errors import TrackingError
from tasks.track.losses import Losses
from tasks.track.names import INCOMPLETE, RECIPE
from tasks.track.patience import AT_THE_END, IN_A_RUN, WHILE_OPENING, patience
from tasks.track.quiet import quiet
from tasks.track.tracker import NO_RUN, TrackedRun

if TYPE_CHECKING:
    from mlflow.entities import Run

    from storage.objects import ObjectStore

_NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@contextmanager
def join(
    uri: str, run_id: str, *, recipe: str, store: ObjectStore | None = None, say: Callable[[str], None] = print
) -> Iterator[TrackedRun]:
    """The parent's run, to write below it. Whoever began it ends it.

    The parent's work has begun, so an MLflow that does not answer now is reported and counted, and the run goes on.

    Args:
        uri: MLflow tracking URI, the same as the parent's.
        run_id: the parent's run.
        recipe: SHA-256 of the recipe that this flow works on.
        store, say: as `tasks.track.tracker.track` takes them.

    Raises:
        TrackingError: there is no such run, or it was begun with another recipe.
    """
    with quiet():
        check_address(uri)
        client, losses = MlflowClient(tracking_uri=uri), Losses(say)
        with patience(WHILE_OPENING):
            found = losses.attempt(lambda: _find(client, run_id))
        if isinstance(found, TrackingError):
            raise TrackingError(f"parent_run: MLflow at {redact(uri)} {found}")
        run = TrackedRun(client, "", NO_RUN, losses, store)
        if found is not None:
            _refuse_other_recipe(found, recipe)
            files = store_of(found.info.artifact_uri or "", store)
            run = TrackedRun(client, found.info.experiment_id, run_id, losses, store, files)
        with patience(IN_A_RUN):
            try:
                yield run
            finally:
                losses.report()
                if losses.count and run.id != NO_RUN:
                    with patience(AT_THE_END, firm=True):
                        run.tags({INCOMPLETE: "yes"})


def _find(client: MlflowClient, run_id: str) -> Run | TrackingError:
    """The run; an error where MLflow answers that there is none."""
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in _NO_SUCH_RUN:
            raise
        return TrackingError(f"knows no run {run_id!r}: leave parent_run empty, or give the id of a run that is there")


def _refuse_other_recipe(parent: Run, recipe: str) -> None:
    begun = parent.data.tags.get(RECIPE, recipe)
    if begun != recipe:
        raise TrackingError(
            f"parent_run: MLflow run {parent.info.run_id} was begun with another recipe ({begun[:12]} there, "
            f"{recipe[:12]} here): give its whole recipe as parameter recipe, or leave parent_run empty"
        )
