"""Upload one large object in parts; it appears at once, when the last request completes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

MOST_PARTS = 10_000


def put_in_parts(
    client: Any, request: Mapping[str, Any], condition: Mapping[str, str], body: BinaryIO, part_size: int
) -> None:
    """Send `body` in parts of `part_size` bytes; when anything fails, the parts sent so far are dropped.

    Args:
        client: a botocore S3 client.
        request: what ``put_object`` would take, without the body.
        condition: ``If-None-Match`` for a create-only write; the store judges it at completion.
        body: stream at its start.
    """
    place = {"Bucket": request["Bucket"], "Key": request["Key"]}
    upload = client.create_multipart_upload(**request)["UploadId"]
    try:
        parts = [_send(client, place, upload, number, block) for number, block in _blocks(body, part_size)]
        client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
    except BaseException:
        client.abort_multipart_upload(**place, UploadId=upload)
        raise


def _send(client: Any, place: Mapping[str, str], upload: str, number: int, block: bytes) -> dict[str, Any]:
    sent = client.upload_part(**place, UploadId=upload, PartNumber=number, Body=block, ChecksumAlgorithm="SHA256")
    part = {"PartNumber": number, "ETag": sent["ETag"]}
    return part | ({"ChecksumSHA256": sent["ChecksumSHA256"]} if "ChecksumSHA256" in sent else {})


def _blocks(body: BinaryIO, part_size: int) -> Any:
    number = 0
    while block := body.read(part_size):
        number += 1
        if number > MOST_PARTS:
            raise ValueError(f"more than {MOST_PARTS} parts of {part_size} bytes: raise part_size")
        yield number, block
