"""One MLflow parent run per flow run, nested runs per stage and arm.

The client is used without MLflow's global active run, so that threads and subflows cannot mix their runs. Before a
run begins, whatever is wrong with MLflow is an error; from then on it is reported and counted, and the run goes on.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunInfo, RunTag

from storage.addresses import redact
from tasks.track import names
from tasks.track.address import prepare
from tasks.track.artifacts import put_in_store, store_of
from tasks.track.causes import cause_of
from tasks.track.errors import TrackingError
from tasks.track.experiments import experiment_id
from tasks.track.losses import Losses
from tasks.track.patience import AT_THE_END, IN_A_RUN, WHILE_OPENING, patience
from tasks.track.quiet import quiet

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from storage.s3 import S3Store

_PARAM_LIMIT, _TAG_LIMIT, _SOURCE_LIMIT = 6000, 8000, 60_000
T = TypeVar("T")
NO_RUN = ""
"""The id of a run that MLflow could not begin."""


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One MLflow run that is open for writing.

    What MLflow refuses or cannot take is reported, counted in `losses` and left out; names and values are made such
    that it takes them, and passwords in addresses are left out.
    """

    client: MlflowClient
    experiment: str
    id: str
    losses: Losses
    store: ObjectStore | None = None
    files: S3Store | None = None

    def params(self, values: Mapping[str, Any]) -> None:
        """Record settings; values are written as text, cut at MLflow's limit."""
        params = [Param(names.key(name), names.value(item, _PARAM_LIMIT)) for name, item in values.items()]
        self.attempt(lambda: self.client.log_batch(self.id, params=params))

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record numbers."""
        now = int(time.time() * 1000)
        metrics = [Metric(names.key(name), float(number), now, step) for name, number in values.items()]
        self.attempt(lambda: self.client.log_batch(self.id, metrics=metrics))

    def points(self, name: str, values: Sequence[tuple[int, float]]) -> None:
        """Record points of a series: pairs of step and value."""
        now = int(time.time() * 1000)
        metrics = [Metric(names.key(name), float(number), now, step) for step, number in values]
        for start in range(0, len(metrics), 1000):
            self.attempt(lambda start=start: self.client.log_batch(self.id, metrics=metrics[start : start + 1000]))

    def steps(self, name: str) -> set[int]:
        """The steps at which a series has a point; none where MLflow does not answer."""
        history = self.attempt(lambda: self.client.get_metric_history(self.id, names.key(name)))
        return {point.step for point in history or ()}

    def tags(self, values: Mapping[str, str]) -> None:
        """Record links and labels."""
        tags = [RunTag(names.key(name), names.value(text, _TAG_LIMIT)) for name, text in values.items()]
        self.attempt(lambda: self.client.log_batch(self.id, tags=tags))

    def dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """Record a dataset version as an input of this run; `digest` is its fingerprint."""
        place = json.dumps({"uri": names.value(source, _SOURCE_LIMIT)})
        data = Dataset(names.title(name), digest[:36], "s3" if source.startswith("s3://") else "local", place)
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", context)])]
        self.attempt(lambda: self.client.log_inputs(self.id, inputs))

    def text(self, text: str, file: str) -> None:
        """Keep a text as an artifact."""
        self.blob(redact(text).encode("utf-8", "backslashreplace"), file)

    def blob(self, data: bytes, file: str) -> None:
        """Keep bytes (a figure, a checkpoint) as an artifact called `file`."""
        self.attempt(lambda: self._keep(data, file))

    @contextmanager
    def nested(self, name: str) -> Iterator[TrackedRun]:
        """A child run, ended as FINISHED, as KILLED by Ctrl-C, or as FAILED when the block raises."""
        begun = self.attempt(lambda: _begin(self, name, {"mlflow.parentRunId": self.id}))
        with _ending(begun or TrackedRun(self.client, self.experiment, NO_RUN, self.losses)) as run:
            yield run

    @contextmanager
    def continued(self, name: str, mark: str) -> Iterator[TrackedRun]:
        """A child run as `nested` gives, or the one with this mark that did not finish, taken up again.

        Args:
            name: of a new run.
            mark: what the run is about; a tag of it.
        """
        tags = {"mlflow.parentRunId": self.id, names.MARK: mark}
        begun = self.attempt(lambda: _unfinished(self, mark) or _begin(self, name, tags))
        with _ending(begun or TrackedRun(self.client, self.experiment, NO_RUN, self.losses)) as run:
            yield run

    def incomplete(self) -> bool:
        """Whether MLflow did not take all records of this run, or of flows that joined it."""
        if self.losses.count or self.id == NO_RUN:
            return True
        found = self.attempt(lambda: self.client.get_run(self.id))
        return found is None or names.INCOMPLETE in found.data.tags

    def attempt(self, call: Callable[[], T]) -> T | None:
        """What `call` returns; None, and one more loss, where MLflow fails or this run could not be begun."""
        if self.id == NO_RUN:
            self.losses.count += 1
            return None
        return self.losses.attempt(call)

    def _keep(self, data: bytes, file: str) -> None:
        if self.files is not None:
            put_in_store(self.files, data, file)
            return
        place = PurePosixPath(file)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / place.name
            path.write_bytes(data)
            self.client.log_artifact(self.id, str(path), str(place.parent) if place.parent.name else None)


@contextmanager
def track(
    uri: str,
    experiment: str,
    name: str,
    *,
    artifacts: str | None = None,
    store: ObjectStore | None = None,
    say: Callable[[str], None] = print,
) -> Iterator[TrackedRun]:
    """Open the parent run.

    Args:
        uri: MLflow tracking URI, such as ``sqlite:////path/mlflow.db`` or ``http://host:port``.
        experiment: experiment name; made with `artifacts` as its artifact location when it is new.
        name: what people see in the list of runs.
        artifacts: where files go, such as ``s3://bucket/mlflow``; None leaves it to the server.
        store: files that go to its bucket are written through it, with its endpoint, region and credentials.
        say: called with one line for what goes wrong later, and at the end for what is missing.

    Raises:
        TrackingError: MLflow cannot be opened, within 15 s.
    """
    with quiet():
        run = _open(uri, experiment, name, artifacts, store, say)
        with patience(IN_A_RUN):
            try:
                with _ending(run, is_parent=True):
                    yield run
            finally:
                run.losses.report()


def _open(
    uri: str,
    experiment: str,
    name: str,
    artifacts: str | None,
    store: ObjectStore | None,
    say: Callable[[str], None],
) -> TrackedRun:
    try:
        with patience(WHILE_OPENING):
            prepare(uri, say)
            client = MlflowClient(tracking_uri=uri)
            parent = TrackedRun(client, experiment_id(client, experiment, artifacts), NO_RUN, Losses(say), store)
            return _begin(parent, name, {})
    except TrackingError:
        raise
    except Exception as error:  # whatever MLflow, its database or its HTTP client raises
        raise TrackingError(f"MLflow at {redact(uri)} cannot be used: {cause_of(error)}") from error


def _begin(above: TrackedRun, name: str, tags: dict[str, str]) -> TrackedRun:
    """A new run in the experiment of the one `above` it."""
    info = above.client.create_run(above.experiment, run_name=names.title(name), tags=tags).info
    return _beside(above, info)


def _beside(above: TrackedRun, info: RunInfo) -> TrackedRun:
    """A run in the experiment of the one `above` it, open for writing."""
    files = store_of(info.artifact_uri or "", above.store)
    return TrackedRun(above.client, above.experiment, info.run_id, above.losses, above.store, files)


def _unfinished(above: TrackedRun, mark: str) -> TrackedRun | None:
    """The latest run with that mark in the experiment that was begun and not finished, running again."""
    wanted = f"tags.`{names.MARK}` = '{mark}' and attributes.status != 'FINISHED'"
    found = above.client.search_runs(
        [above.experiment], wanted, max_results=1, order_by=["attributes.start_time DESC"]
    )
    if not found:
        return None
    info = found[0].info
    above.client.update_run(info.run_id, status="RUNNING")
    return _beside(above, info)


@contextmanager
def _ending(run: TrackedRun, *, is_parent: bool = False) -> Iterator[TrackedRun]:
    """Say at the end how the run ended; one that did not finish, or a server that is down, is not waited for."""
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except (KeyboardInterrupt, SystemExit):
        status = "KILLED"
        raise
    finally:
        if run.id != NO_RUN:
            hurry = status != "FINISHED" or run.losses.down
            with patience(AT_THE_END if hurry else IN_A_RUN, firm=hurry):
                run.losses.attempt(lambda: run.client.set_terminated(run.id, status), though_down=is_parent)
