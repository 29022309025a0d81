"""A very small S3 server for tests: honest by default, so that a test overrides where it lies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from storage.s3 import S3Store
from storage.s3_session import Connection

LISTING = b"<ListBucketResult><Name>films</Name><KeyCount>0</KeyCount></ListBucketResult>"


class SmallS3(BaseHTTPRequestHandler):
    """Objects in a dict, and `If-None-Match` taken for noise."""

    objects: dict[str, tuple[bytes, dict[str, str]]]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def key(self) -> str:
        return self.path.partition("?")[0]

    @property
    def on_bucket(self) -> bool:
        return self.key.strip("/").count("/") == 0

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Content-Encoding", "") + self.headers.get("Transfer-Encoding", ""):
            raise AssertionError("this server takes plain bodies only")
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, data: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "ETag": '"tag"', **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, status: int, code: str, more: str = "") -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message>{more}</Error>".encode())

    def meta(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}

    def do_PUT(self) -> None:
        self.objects[self.key] = (self.body(), self.meta())
        self.answer(200)

    def do_GET(self) -> None:
        if self.on_bucket:
            return self.answer(200, LISTING)
        if self.key not in self.objects:
            return self.refuse(404, "NoSuchKey")
        data, meta = self.objects[self.key]
        return self.answer(200, data, meta)

    def do_HEAD(self) -> None:
        return self.answer(200) if self.on_bucket else self.do_GET()

    def do_DELETE(self) -> None:
        self.objects.pop(self.key, None)
        self.answer(204)


class Honest(SmallS3):
    """Refuses a create-only write on a key that is taken."""

    def do_PUT(self) -> None:
        data = self.body()
        if self.key in self.objects and self.headers.get("If-None-Match") == "*":
            return self.refuse(412, "PreconditionFailed")
        self.objects[self.key] = (data, self.meta())
        return self.answer(200)


@contextmanager
def serving(handler: type[SmallS3], attempts: int = 3, **changes: object) -> Iterator[S3Store]:
    """A store on a server of its own that answers as `handler` does; `changes` are its attributes."""
    kind = type("Own", (handler,), {"objects": {}, **changes})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{httpd.server_port}"
        try:
            yield S3Store("films", "", Connection(endpoint, None, "a", "b", attempts=attempts))
        finally:
            httpd.shutdown()
