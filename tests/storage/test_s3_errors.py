"""What an S3 server, a proxy or the network refuses is told by its true cause, in one line with the remedy."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest

from storage.errors import AccessDenied, ConditionalWritesMissing, ObjectMissing, StoreError, StoreUnreachable
from storage.s3 import S3Store
from storage.s3_session import Connection
from tests.storage.small_s3 import Honest, SmallS3, serving

TWO_HOURS_AHEAD = datetime.now(UTC) + timedelta(hours=2)
CLOCKS = f"<RequestTime>20260101T000000Z</RequestTime><ServerTime>{TWO_HOURS_AHEAD:%Y-%m-%dT%H:%M:%SZ}</ServerTime>"


class Refusing(SmallS3):
    """Refuses every request in one and the same way."""

    status, code, more = 400, "", ""

    def any(self) -> None:
        self.body()
        self.refuse(self.status, self.code, self.more)

    do_GET = do_PUT = do_HEAD = do_DELETE = any


class Page(SmallS3):
    """Answers as a web server or a proxy does."""

    status, page, kind = 200, b"<!DOCTYPE html><html><body>Welcome<br></body></html>", "text/html; charset=utf-8"

    def any(self) -> None:
        self.body()
        self.answer(self.status, self.page, {"Content-Type": self.kind})

    do_GET = do_PUT = do_HEAD = do_DELETE = any


def told(store: S3Store, kind: type[StoreError] = StoreError) -> str:
    """The message with which `store` fails its check: one line."""
    with pytest.raises(kind) as caught:
        store.check()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("status", "code", "more", "kind", "words"),
    [
        pytest.param(
            403,
            "RequestTimeTooSkewed",
            CLOCKS,
            AccessDenied,
            ("clock", f"{TWO_HOURS_AHEAD:%H:%M} UTC", "behind"),
            id="a clock that is behind",  # the times would make another id in each worker
        ),
        (403, "RequestTimeTooSkewed", "", AccessDenied, ("clock", "15 minutes")),
        (301, "PermanentRedirect", "<Endpoint>films.s3.x</Endpoint>", StoreUnreachable, ("region", "storage.region")),
        (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", StoreUnreachable, ("region eu-west-1",)),
        (400, "IllegalLocationConstraintException", "", StoreUnreachable, ("another region", "--region")),
        (503, "SlowDown", "", StoreUnreachable, ("overloaded", "SlowDown", "run again")),
        (503, "ServiceUnavailable", "", StoreUnreachable, ("overloaded",)),
        (400, "InvalidBucketName", "", StoreUnreachable, ("no valid bucket name", "storage.root")),
        (404, "NoSuchBucket", "", StoreUnreachable, ("films", "does not exist", "create the bucket")),
        (400, "ExpiredToken", "", AccessDenied, ("expired", "aws sso login", "AWS_SESSION_TOKEN")),
        (400, "InvalidToken", "", AccessDenied, ("token is not valid", "AWS_SESSION_TOKEN")),
        (403, "InvalidAccessKeyId", "", AccessDenied, ("refuses these credentials", "AWS_ACCESS_KEY_ID")),
        (403, "AccountProblem", "", AccessDenied, ("AccountProblem",)),
        (501, "NotImplemented", "", ConditionalWritesMissing, ("header",)),
        (405, "MethodNotAllowed", "", StoreError, ("films", "MethodNotAllowed")),
    ],
)
def test_a_refusal_is_told_by_its_cause(
    status: int, code: str, more: str, kind: type[StoreError], words: tuple[str, ...]
) -> None:
    with serving(Refusing, attempts=2, status=status, code=code, more=more) as store:
        message = told(store, kind)
    assert all(word in message for word in ("films", *words)), message


def test_a_clock_is_blamed_by_the_date_of_the_answer_where_the_refusal_says_nothing() -> None:
    class Ahead(SmallS3):
        def do_HEAD(self) -> None:
            self.answer(403)

        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
            return format_datetime(TWO_HOURS_AHEAD, usegmt=True)

    with (
        serving(Ahead) as store,
        pytest.raises(AccessDenied, match=r"clock says .* the server's .* minutes behind"),
    ):
        store.head("k")


@pytest.mark.parametrize(
    ("status", "page"),
    [(200, Page.page), (200, b"<html><body/></html>"), (200, b"ok"), (403, Page.page), (404, Page.page)],
)
def test_a_web_page_in_place_of_an_answer_is_no_s3_server(status: int, page: bytes) -> None:
    with serving(Page, attempts=2, status=status, page=page) as store:
        message = told(store, StoreUnreachable)
    assert "S3" in message
    assert "storage.endpoint" in message


def test_a_server_that_fails_one_call_in_five_is_used_all_the_same() -> None:
    rng = Random(5)
    refused = []

    class Shaky(Honest):
        def parse_request(self) -> bool:
            if not super().parse_request():
                return False
            if rng.random() < 0.2:
                self.body()
                refused.append(self.command)
                self.refuse(503, "SlowDown")
                return False
            return True

    with serving(Shaky, attempts=5) as store:
        for _ in range(4):
            store.check()
    assert refused


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """A server that sends `answer` to whoever connects and hangs up; it never answers with None."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                if answer is None:
                    held.append(client)
                    continue
                client.recv(4096)
                client.sendall(answer)
                client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for client in held:
            client.close()


def reach(endpoint: str, read_timeout: float = 60) -> S3Store:
    return S3Store("films", "", Connection(endpoint, None, "a", "b", attempts=2, read_timeout=read_timeout))


def test_a_connection_that_is_closed_at_once_is_told() -> None:
    with listening(b"") as place:
        assert "closes the connection" in told(reach(f"http://{place}"), StoreUnreachable)


def test_a_server_that_never_answers_is_told() -> None:
    with (
        listening(None) as place,
        pytest.raises(StoreUnreachable, match=r"does not answer in time.*storage\.endpoint"),
    ):
        reach(f"http://{place}", read_timeout=0.2).get("k")


def test_https_to_a_server_that_speaks_http_is_told() -> None:
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as place:
        assert "http://" in told(reach(f"https://{place}"), StoreUnreachable)


def test_a_certificate_that_nobody_vouches_for_is_told(certificate: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        place = f"127.0.0.1:{plain.getsockname()[1]}"
        with context.wrap_socket(plain, server_side=True) as server:

            def serve() -> None:
                for _ in range(2):
                    with suppress(OSError):  # the client hangs up
                        server.accept()

            threading.Thread(target=serve, daemon=True).start()
            message = told(reach(f"https://{place}"), StoreUnreachable)
    assert "not trusted" in message
    assert "AWS_CA_BUNDLE" in message


def test_a_host_name_that_does_not_exist_is_told() -> None:
    assert "no such host name" in told(reach("http://store.invalid:8333"), StoreUnreachable)


def test_a_dead_proxy_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://user:CANARY@127.0.0.1:9")
    message = told(reach("http://store.example:8333"), StoreUnreachable)
    assert "proxy" in message
    assert "CANARY" not in message


@pytest.mark.parametrize(
    "endpoint", ["127001", "http://", "ftp://store", "http://host:99999", "http://[::1", "http://a b"]
)
def test_an_endpoint_that_is_no_address_is_told(endpoint: str) -> None:
    assert "storage.endpoint" in told(reach(endpoint), StoreUnreachable)


def test_an_address_is_shown_without_its_password() -> None:
    store = reach("http://user:CANARY@127.0.0.1:9")
    assert "CANARY" not in told(store) + repr(store)


@pytest.mark.parametrize("bucket", ["Films", "a", "under_score!", "two..dots/"])
def test_a_bucket_name_that_cannot_be_is_told(bucket: str) -> None:
    with serving(Refusing, status=400, code="InvalidBucketName") as other:
        store = S3Store(bucket, "", Connection(other.connection.endpoint, None, "a", "b"))
        assert "bucket name" in told(store, StoreUnreachable)


def test_an_object_that_is_not_there_is_named() -> None:
    with serving(Honest) as store, pytest.raises(ObjectMissing, match="some/key"):
        store.get("some/key")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate that was signed by nobody else, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed.public_bytes(pem) + secret)
    return str(path)
