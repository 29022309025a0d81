"""S3 clients: whose credentials, which region and endpoint, and what is kept out of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.utils import parse_timestamp

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Connection:
    """How an S3 service is reached.

    With keys of its own, a connection takes nothing from the environment or the home folder: no ``AWS_…`` variable,
    no profile, no configuration file. Without, everything that is None comes from where boto3 finds it.

    Args:
        endpoint: address of the service; None takes ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL`` or Amazon's.
        region: None takes ``AWS_REGION``, ``AWS_DEFAULT_REGION``, the profile's, or ``us-east-1``.
        access_key, secret_key: None takes what boto3 finds (environment, profile, role).
        attempts: tries per request, with jitter between them.
        connect_timeout, read_timeout: seconds without a connection, or without a byte, after which one try ends.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    attempts: int = 5
    connect_timeout: float = 5
    read_timeout: float = 60

    @property
    def closed(self) -> bool:
        """Whether nothing is taken from the environment."""
        return self.access_key is not None

    @property
    def address(self) -> str | None:
        """The endpoint in use; None is Amazon's."""
        if self.endpoint or self.closed:
            return self.endpoint
        return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None

    def client(self) -> Any:
        """A new client.

        Raises:
            ValueError: the endpoint is not an address.
            botocore.exceptions.BotoCoreError: the profile or the configuration cannot be used.
        """
        core = _closed_session() if self.closed else _session()
        made = core.create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self._region(core),
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": self.attempts},
                connect_timeout=self.connect_timeout,
                read_timeout=self.read_timeout,
                max_pool_connections=16,
                # A signed SHA-256 of the body goes along with every write: signing the body would hash it again.
                s3=_s3_options(self.address),
                proxies={} if _on_loopback(self.address) else None,
            ),
        )
        made.meta.events.register_last("before-parameter-build.s3", _no_redirect)
        return made

    def _region(self, core: botocore.session.Session) -> str:
        if self.region or self.closed:
            return self.region or REGION
        return os.environ.get("AWS_REGION") or core.get_config_variable("region") or REGION


def _s3_options(address: str | None) -> Any:
    options: dict[str, Any] = {"payload_signing_enabled": False}
    return options | {"addressing_style": "path"} if address else options


def _session(settings: Mapping[str, Any] | None = None) -> botocore.session.Session:
    core = botocore.session.Session(session_vars=dict(settings) if settings else None)
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    return core


@cache
def _closed_session() -> botocore.session.Session:
    """A session with botocore's settings at their defaults, read from no variable and from no file."""
    known = botocore.session.Session.SESSION_VARIABLES
    settings = {name: (None, None, default, convert) for name, (_, _, default, convert) in known.items()}
    return _session(settings | dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)))


def _no_redirect(model: Any, context: dict[str, Any], **_: object) -> None:
    """Keep HeadBucket from being redirected: botocore would follow a server that only redirects for ever."""
    if model.name == "HeadBucket" and "s3_redirect" in context:
        context["s3_redirect"]["redirected"] = True


def _on_loopback(address: str | None) -> bool:
    """Whether `address` is this machine, which no proxy can reach for us."""
    host = _host(address) or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _host(address: str | None) -> str | None:
    try:
        return urlsplit(address or "").hostname
    except ValueError:
        return None


def _time(text: Any) -> Any:
    """A time in an answer; botocore's own parser takes two thirds of the time of a long listing."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return parse_timestamp(text)
