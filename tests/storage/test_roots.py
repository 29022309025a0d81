"""An address is a bucket or a folder; what only looks like one is refused."""

from __future__ import annotations

import pytest

from storage.roots import wrong_root


@pytest.mark.parametrize(
    "root", ["s3://bucket", "s3://bucket/a/b", "./store", "store", "/tmp/a=b", "../x", "a b", "s3", "files/x"]
)
def test_a_bucket_or_a_folder_passes(root: str) -> None:
    assert wrong_root(root) is None


@pytest.mark.parametrize(
    ("root", "remedy"),
    [
        ("s3:/bucket/x", "write s3://bucket/x"),
        ("s3:bucket", "write s3://bucket"),
        ("S3://bucket", "write s3://bucket"),
        ("s3//bucket", "write s3://bucket"),
        ("s3a://bucket", "write s3://bucket"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("gs://bucket", "neither 'managed', an s3:// address nor a local folder"),
        ("http:/host", "neither"),
        ("https//host", "neither"),
        ("file:///tmp/x", "write /tmp/x"),
        ("C:\\store", "neither"),
        ("a:b", "write ./a:b"),
        ("", "give s3://bucket/prefix or a local folder"),
        (" store", "give s3://bucket/prefix or a local folder"),
        ("sto\0re", "give s3://bucket/prefix or a local folder"),
    ],
)
def test_what_looks_like_an_address_is_refused_with_the_remedy(root: str, remedy: str) -> None:
    wrong = wrong_root(root) or ""
    assert remedy in wrong
    assert repr(root) in wrong
