"""A store with keys of its own takes nothing from the shell; one without takes what the shell says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.s3_session import Connection
from storage.server import StoreAddress

OURS = Connection("http://127.0.0.1:1", access_key="mine", secret_key="secret")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of somebody who works with Amazon, by way of a proxy."""
    config = tmp_path / "config"
    config.write_text(
        "[profile work]\nregion = ap-south-1\nca_bundle = /nonexistent\ns3 =\n  addressing_style = virtual\n"
    )
    for name, value in {
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "theirs",
        "AWS_SESSION_TOKEN": "token",
        "AWS_PROFILE": "nosuch",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": "/nonexistent",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_RETRY_MODE": "nonsense",
        "AWS_MAX_ATTEMPTS": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("shell")
def test_keys_of_its_own_close_the_shell_out() -> None:
    client = OURS.client()
    request = client._request_signer._credentials.get_frozen_credentials()
    assert (request.access_key, request.secret_key, request.token) == ("mine", "secret", None)
    assert client.meta.region_name == "us-east-1"
    assert client.meta.endpoint_url == OURS.endpoint
    assert client.meta.config.proxies == {}
    assert client.meta.config.retries["total_max_attempts"] == 5


@pytest.mark.server
@pytest.mark.usefixtures("shell")
def test_the_managed_store_works_in_any_shell(managed: StoreAddress) -> None:
    before = dict(os.environ)
    store = managed.store("shell")
    store.check()
    store.put("k", b"v")
    assert store.get("k") == b"v"
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("asked", "shell", "found"),
    [
        (None, {}, "us-east-1"),
        (None, {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-2"}, "eu-west-2"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-2"),
        ("eu-north-1", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-north-1"),
        (None, {"AWS_PROFILE": "work"}, "ap-south-1"),
    ],
)
def test_the_region_is_the_recipes_else_the_shells_else_the_first(
    asked: str | None, shell: dict[str, str], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config").write_text("[profile work]\nregion = ap-south-1\n")
    for name, value in {"AWS_CONFIG_FILE": str(tmp_path / "config"), **shell}.items():
        monkeypatch.setenv(name, value)
    assert Connection(region=asked).client().meta.region_name == found


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8333", "http://localhost:8333", "http://[::1]:1", "http://127.9.9.9"]
)
def test_no_proxy_stands_before_this_machine(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Connection(address, access_key="a", secret_key="b").client().meta.config.proxies == {}
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    from_shell = Connection()
    assert from_shell.address == address
    assert from_shell.client().meta.config.proxies == {}
    assert Connection("http://store.example").client().meta.config.proxies is None


def test_an_endpoint_of_the_shell_is_asked_for_paths_as_one_of_the_recipe_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store.example:8333")
    client = Connection(region="eu-west-1").client()
    assert client.meta.endpoint_url == "http://store.example:8333"
    assert client.meta.config.s3["addressing_style"] == "path"


def test_the_secret_is_in_no_repr() -> None:
    assert "secret" not in repr(OURS).replace("secret_key", "")
