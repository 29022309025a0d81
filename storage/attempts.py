"""Attempts at the shards of a version in the making: noted before they start, and bounded.

A worker notes each attempt create-only before it begins, so that one which kills its process, or whose machine is
lost, counts like one that raises. A shard that has had its attempts is set aside: the others go on without it.
"""

from __future__ import annotations

import logging
import os
import socket
import traceback
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import Field, ValidationError

from storage.addresses import without_secrets
from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing, StoreError
from storage.layout import (
    WORK,
    DatasetRef,
    attempt_error_key,
    attempt_key,
    attempts_prefix,
    failed_key,
    split_work,
)
from storage.objects import ObjectStore
from storage.records import Record

MOST_ATTEMPTS = 3
KILLED = "Killed"
"""In the place of an error's type where no attempt lived to tell one."""
_KILLED_TEXT = "the process ended without a word: killed, out of memory, or its machine was lost"
_MOST_MESSAGE, _MOST_TRACE = 2_000, 6_000
_TOGETHER = 16
_log = logging.getLogger(__name__)


class Attempt(Record):
    """``attempts/<stage>/<shard>/<n>.json``: who began an attempt, and when."""

    host: str
    process: int
    begun: datetime


class Failure(Record):
    """``attempts/<stage>/<shard>/<n>.error.json``: what an attempt raised; the texts are escaped and hold no secret.

    Args:
        error: name of the exception's class.
        message: what it says, shortened.
        trace: the end of its traceback.
    """

    error: str
    message: str
    trace: str = ""

    @staticmethod
    def of(error: BaseException) -> Failure:
        """The failure that an exception tells."""
        trace = "".join(traceback.format_exception(error))
        return Failure(
            error=type(error).__name__,
            # Cut twice: a secret is found whole or lies beyond the second cut.
            message=_escaped(str(error)[: 2 * _MOST_MESSAGE])[:_MOST_MESSAGE],
            trace=_escaped(trace[-2 * _MOST_TRACE :])[-_MOST_TRACE:],
        )


class SetAside(Failure):
    """``failed/<stage>/<shard>.json``: a shard that had all its attempts, with the last error that one told.

    Args:
        shard, stage: which it is, and what failed.
        attempts: how many there were.
        killed: those of them that ended without a word.
        host: where the last one ran.
        since: when it was set aside.
    """

    shard: int
    stage: str
    attempts: int
    killed: int = Field(ge=0)
    host: str
    since: datetime

    def __str__(self) -> str:
        return f"shard {self.shard} ({self.stage}: {self.error}: {self.message})"


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts at the shards of the version `ref`."""

    store: ObjectStore
    ref: DatasetRef

    def begin(self, stage: str, shard: int) -> int | None:
        """Note that an attempt begins, and return its number from 1; None where there were all: it is set aside."""
        note = Attempt(host=socket.gethostname(), process=os.getpid(), begun=datetime.now(UTC))
        for number in range(1, MOST_ATTEMPTS + 1):
            try:
                self._put(attempt_key(self.ref, stage, shard, number), note)
            except AlreadyExists:
                continue
            return number
        self._set_aside(stage, shard)
        return None

    def fail(self, stage: str, shard: int, number: int, error: Exception) -> None:
        """Note what ended an attempt; after the last one the shard is set aside."""
        with suppress(AlreadyExists):  # a request that was sent twice
            self._put(attempt_error_key(self.ref, stage, shard, number), Failure.of(error))
        if number >= MOST_ATTEMPTS:
            self._set_aside(stage, shard)

    def withdraw(self, stage: str, shard: int, number: int) -> None:
        """Have an attempt not count, as what ended it lies not in the shard."""
        try:
            self.store.delete(attempt_key(self.ref, stage, shard, number))
        except StoreError as error:
            _log.warning("attempt %d at shard %d counts, since its note cannot be removed: %s", number, shard, error)

    def found(self, but: Collection[int] = ()) -> list[SetAside]:
        """The shards that are set aside, in their order, of a shard one; `but` are not looked at, such as those done.

        Raises:
            CorruptShard: a record of them cannot be read.
        """
        records: dict[int, SetAside] = {}
        for info in self.store.list(f"{WORK}{self.ref}/failed/"):
            part = split_work(info.key)
            if part is None or int(part[1].rpartition("/")[2].removesuffix(".json")) in but:
                continue
            record = self._read(info.key)
            records.setdefault(record.shard, record)
        return [records[shard] for shard in sorted(records)]

    def record(self, stage: str, shard: int) -> SetAside:
        """What is known of a shard that is set aside.

        Raises:
            ObjectMissing: it is not, or no longer.
            CorruptShard: the record cannot be read.
        """
        return self._read(failed_key(self.ref, stage, shard))

    def clear(self, shards: Collection[int] | None = None) -> list[int]:
        """Give shards that are set aside all their attempts again; those of `shards`, or every one.

        Returns:
            The shards that were set aside and no longer are, in order.
        """
        cleared: set[int] = set()
        for info in [*self.store.list(f"{WORK}{self.ref}/failed/")]:
            part = split_work(info.key)
            if part is None:
                continue
            _, stage, name = part[1].split("/")
            shard = int(name.removesuffix(".json"))
            if shards is None or shard in shards:
                # The record goes last: what is cut off in between is still set aside.
                self._remove([note.key for note in self.store.list(attempts_prefix(self.ref, stage, shard))])
                self.store.delete(info.key)
                cleared.add(shard)
        return sorted(cleared)

    def forget(self) -> None:
        """Remove every note of the version, which is published; `synth gc` removes what this may not."""
        try:
            self._remove([info.key for info in self.store.list(f"{WORK}{self.ref}/") if split_work(info.key)])
        except StoreError as error:
            _log.warning("notes of attempts stay behind until `synth gc`: %s", error)

    def _remove(self, keys: Collection[str]) -> None:
        with ThreadPoolExecutor(_TOGETHER) as pool:
            list(pool.map(self.store.delete, keys))

    def _set_aside(self, stage: str, shard: int) -> None:
        told = [
            failure
            for number in range(1, MOST_ATTEMPTS + 1)
            if (failure := self._failure(attempt_error_key(self.ref, stage, shard, number))) is not None
        ]
        last = told[-1] if told else Failure(error=KILLED, message=_KILLED_TEXT)
        record = SetAside(
            **last.model_dump(),
            shard=shard,
            stage=stage,
            attempts=MOST_ATTEMPTS,
            killed=MOST_ATTEMPTS - len(told),
            host=self._host(stage, shard),
            since=datetime.now(UTC),
        )
        with suppress(AlreadyExists):  # whoever was first knew the same
            self._put(failed_key(self.ref, stage, shard), record)

    def _host(self, stage: str, shard: int) -> str:
        """Where the last attempt ran."""
        try:
            data = read_bounded(self.store, attempt_key(self.ref, stage, shard, MOST_ATTEMPTS))
            return Attempt.model_validate_json(data).host
        except (ObjectMissing, BadDocument, ValidationError):
            return "unknown"

    def _failure(self, key: str) -> Failure | None:
        try:
            return Failure.model_validate_json(read_bounded(self.store, key))
        except ObjectMissing:
            return None
        except (BadDocument, ValidationError) as error:
            return Failure(
                error="CorruptNote", message=f"{self.store.uri(key)} cannot be read: {type(error).__name__}"
            )

    def _read(self, key: str) -> SetAside:
        remedy = "remove it, and the shard is tried again"
        try:
            return SetAside.model_validate(parse_json(read_bounded(self.store, key)))
        except BadDocument as error:
            raise CorruptShard(f"{self.store.uri(key)}: {error}; {remedy}") from error
        except ValidationError as error:
            raise CorruptShard(f"{self.store.uri(key)}: {first_problem(error)}; {remedy}") from error

    def _put(self, key: str, document: Record) -> None:
        data = canonical_json(document.model_dump(mode="json")).encode()
        self.store.put(key, data, content_type="application/json")


def _escaped(text: str) -> str:
    """`text` without secrets, its control characters and broken characters written out; lines stay."""
    return "".join(
        one if one == "\n" or one.isprintable() else one.encode("unicode_escape").decode()
        for one in without_secrets(text)
    )
