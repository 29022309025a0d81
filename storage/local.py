"""A store in a local folder: temp file, fsync, hard link; a reader never sees half an object."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from storage.errors import (
    AccessDenied,
    AlreadyExists,
    ConditionalWritesMissing,
    ObjectMissing,
    StoreError,
    StoreFull,
    StoreUnreachable,
)
from storage.objects import ObjectInfo, check_key

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
_TEMPORARY = ".tmp"


class LocalStore:
    """Objects as files under `folder`.

    A create-only write links a finished temporary file to its name, which the kernel does for exactly
    one of many racing writers.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).expanduser().absolute()

    def __repr__(self) -> str:
        return f"LocalStore({str(self.folder)!r})"

    @property
    def root(self) -> str:
        """The folder."""
        return str(self.folder)

    def get(self, key: str) -> bytes:
        """The object's bytes."""
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        """The file, open for reading."""
        path = self._path(key)
        with self._explained(path):
            try:
                return _open_file(path)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise ObjectMissing(f"no object {key!r} in {self.folder}") from None

    def put(self, key: str, data: bytes | Path, *, create_only: bool = True, content_type: str | None = None) -> str:
        """Write one whole object; `content_type` has no place in a file system and is left out."""
        del content_type
        path = self._path(key)
        draft = self.folder / _TEMPORARY / uuid4().hex
        with _source(data) as source, self._explained(path):
            if create_only and path.exists():
                raise AlreadyExists(f"{path} exists already")
            try:
                digest = _write(draft, source)
                _make_folders(path.parent)
                _publish(draft, path, create_only)
            finally:
                draft.unlink(missing_ok=True)
        return digest

    def head(self, key: str) -> ObjectInfo | None:
        """Size, or None when there is no such file."""
        path = self._path(key)
        with self._explained(path):
            return ObjectInfo(key, path.stat().st_size) if path.is_file() else None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`, sorted."""
        root = len(str(self.folder)) + 1
        paths: list[str] = []
        for folder, names, files in os.walk(self.folder / prefix.rpartition("/")[0], onerror=self._unlisted):
            if len(folder) < root and _TEMPORARY in names:
                names.remove(_TEMPORARY)
            paths += [f"{folder}/{name}" for name in files]
        for path in sorted((path for path in paths if path.startswith(prefix, root)), key=os.fsencode):
            with self._explained(Path(path)):
                try:
                    found = os.stat(path)
                except FileNotFoundError:  # deleted since the walk
                    continue
            if stat.S_ISREG(found.st_mode):
                yield ObjectInfo(path[root:], found.st_size)

    def delete(self, key: str) -> None:
        """Remove the file if it is there."""
        path = self._path(key)
        with self._explained(path):
            path.unlink(missing_ok=True)

    def uri(self, key: str) -> str:
        """``file:///…``"""
        return (self._path(key) if key else self.folder).as_uri()

    def check(self) -> None:
        """Prove that the folder can be written and that a second create-only write is refused."""
        key = f"probe-{uuid4().hex}"
        self._sweep()
        try:
            self.put(key, b"first")
            try:
                self.put(key, b"second")
            except AlreadyExists:
                return
            raise ConditionalWritesMissing(f"{self.folder} overwrites on a create-only write: choose another folder")
        finally:
            if self.folder.is_dir():
                self.delete(key)

    def _unlisted(self, error: OSError) -> None:
        """A folder that is not there holds nothing; one that cannot be read must not pass for empty."""
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreUnreachable(f"{self.folder} is a file: a store is a folder, or s3://bucket/prefix")
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise self._explanation(error, Path(str(error.filename))) from error

    def _sweep(self) -> None:
        """Remove what a killed writer left behind; a day is longer than any write takes."""
        for draft in (self.folder / _TEMPORARY).glob("*"):
            with self._explained(draft):
                if time.time() - draft.stat().st_mtime > 86_400:
                    draft.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    @contextmanager
    def _explained(self, path: Path) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise self._explanation(error, path) from error

    def _explanation(self, error: OSError, path: Path) -> StoreError:
        if error.errno in _FULL:
            free = f"{shutil.disk_usage(self.folder).free / 2**20:.0f} MiB free" if self.folder.exists() else "no room"
            return StoreFull(
                f"{path} cannot be written, the disk or quota is full ({free} in {self.folder}): make room, or "
                "point storage.root elsewhere; finished shards stay and the run resumes"
            )
        if isinstance(error, PermissionError):
            return AccessDenied(f"{path}: permission denied: give this user read and write access to {self.folder}")
        return StoreUnreachable(f"{path}: {error.strerror or error}: check that storage.root is a usable folder")


def _open_file(path: Path) -> BinaryIO:
    """A regular file, open for reading; a pipe or device in its place is no object and is not waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def _source(data: bytes | Path) -> BinaryIO:
    return data.open("rb") if isinstance(data, Path) else BytesIO(data)


def _write(draft: Path, source: BinaryIO) -> str:
    """Write and fsync a temporary file; return the SHA-256."""
    draft.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with draft.open("xb") as out:
        while block := source.read(1 << 20):
            digest.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _publish(draft: Path, path: Path, create_only: bool) -> None:
    if create_only:
        try:
            os.link(draft, path)
        except FileExistsError:
            raise AlreadyExists(f"{path} exists already") from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise ConditionalWritesMissing(
                f"the file system of {path.parent} has no hard links ({error.strerror}), so create-only writes are "
                "not safe there: point storage.root at another folder or at an S3 store"
            ) from error
    else:
        draft.replace(path)
    _sync_folder(path.parent)


def _make_folders(folder: Path) -> None:
    """Create `folder` and sync every parent that got a new entry, so that a power cut keeps the path."""
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
