"""Addresses of servers, and the passwords that must not be shown or stored with them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

HIDDEN = "***"
_SECRET_NAMES = r"password|passwd|pwd|token|secret|api[_-]?key|access[_-]?key|signature|sig|credential|auth"
_SECRET_NAME = re.compile(_SECRET_NAMES, re.IGNORECASE)
_SHORTEST = 6
"""Shorter values are words that occur by chance."""
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/?#@]*(?:@[^\s/?#@]+)*)@")
_FIELD = rf"[A-Za-z0-9_.-]*(?:{_SECRET_NAMES})[A-Za-z0-9_.-]*"
_QUERY = re.compile(rf"(?P<name>[?&;]{_FIELD}=)(?P<value>[^\s&;#'\"]+)", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with the secret parts of every address in it replaced by ``***``.

    Secret are what stands before the ``@`` of an address (user and password, or a token alone), and the values of
    query fields that are named like a password, a token, a key or a signature.
    """
    return _QUERY.sub(rf"\g<name>{HIDDEN}", _USER.sub(rf"\g<scheme>{HIDDEN}@", text))


def has_secret(address: str) -> bool:
    """Whether `redact` would hide a part of `address`."""
    return redact(address) != address


def without_secrets(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`redact`, and ``***`` also for the values of environment variables that are named like a password or a key.

    Args:
        text: anything, such as a traceback.
        environment: variables by name; None is those of this process.
    """
    known = os.environ if environment is None else environment
    secrets = {value for name, value in known.items() if len(value) >= _SHORTEST and _SECRET_NAME.search(name)}
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return redact(text)
