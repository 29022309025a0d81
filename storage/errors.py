"""What can go wrong with a store: every message names the place and the remedy."""

from __future__ import annotations


class StoreError(RuntimeError):
    """Base of all errors of `storage`."""


class AlreadyExists(StoreError):
    """A create-only write found the object there already; the stored bytes are untouched."""


class ObjectMissing(StoreError):
    """The object that was asked for does not exist."""


class StoreUnreachable(StoreError):
    """Nothing answers, or the bucket or folder does not exist."""


class AccessDenied(StoreError):
    """The store refuses the credentials, or they do not allow the request."""


class ConditionalWritesMissing(StoreError):
    """The store accepts create-only writes and then overwrites, or does not support them at all."""


class StoreFull(StoreError):
    """The disk or quota is used up; what was being written is not there, not even in part."""


class ObjectTooLarge(StoreError):
    """The object has more bytes than the store takes; the message states what to make smaller."""


class CorruptShard(StoreError):
    """A tar or Parquet object cannot be read as what it should be."""


class DatasetMissing(StoreError):
    """No such dataset or version; the message lists what exists."""


class ManifestConflict(StoreError):
    """A manifest is there already and differs, or does not agree with the objects."""


class ShardConflict(StoreError):
    """What is to be committed contradicts what an earlier attempt stored for the same shard."""


class ServiceError(StoreError):
    """A service of this machine cannot be started or ended; the message names it, its log and the remedy."""
