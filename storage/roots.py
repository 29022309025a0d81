"""Addresses of stores: ``s3://bucket/prefix`` or a local folder, and nothing that only resembles one."""

from __future__ import annotations

import re

_S3 = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/[^\s]*)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOST_COLON = re.compile(r"(s3a?|gs|gcs|az|abfss?|wasbs?|hdfs|https?|file)/{1,2}(?!/)", re.I)


def wrong_root(root: str) -> str | None:
    """Why `root` is neither ``s3://bucket/prefix`` nor a local folder, with the remedy; None where it is one."""
    if not root.strip() or root != root.strip() or "\0" in root:
        return f"{root!r} is no address: give s3://bucket/prefix or a local folder"
    if root.startswith("s3://"):
        return None if _S3.fullmatch(root) else f"{root!r} names no bucket: write s3://bucket/prefix"
    scheme = _SCHEME.match(root)
    if scheme is None and not _LOST_COLON.match(root):
        return None
    rest = root[scheme.end() :].lstrip("/") if scheme else root.partition("/")[2].lstrip("/")
    if root.lower().startswith("s3"):
        return f"{root!r} is no address: write s3://{rest or 'bucket'}, with a small s, a colon and two slashes"
    if root.lower().startswith("file"):
        return f"{root!r} is no folder: write /{rest}"
    folder = "" if "//" in root else f" (for a folder of that name, write ./{root})"
    return f"{root!r} is neither 'managed', an s3:// address nor a local folder{folder}"
