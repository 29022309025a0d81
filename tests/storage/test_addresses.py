"""Passwords in addresses are hidden wherever one is shown."""

from __future__ import annotations

import pytest

from storage.addresses import has_secret, redact, without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:pass@mlflow.example:5000/x", "https://***@mlflow.example:5000/x"),
        ("https://token@host", "https://***@host"),
        ("postgresql+psycopg2://u:p@ss@db/mlflow", "postgresql+psycopg2://***@db/mlflow"),
        ("sqlite:////x/ml.db?password=CANARY", "sqlite:////x/ml.db?password=***"),
        ("https://h/v1?user=me&api_key=K1&x=2", "https://h/v1?user=me&api_key=***&x=2"),
        ("https://b.s3/k?X-Amz-Signature=abc&X-Amz-Credential=d", "https://b.s3/k?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("no answer from http://u:p@h:1/ and http://v:q@i/", "no answer from http://***@h:1/ and http://***@i/"),
    ],
)  # fmt: skip
def test_secret_parts_are_hidden(address: str, shown: str) -> None:
    assert redact(address) == shown
    assert has_secret(address)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:5000", "s3://bucket/a@b", "sqlite:////x/mlflow.db", "mail me@host", "managed", ""]
)
def test_an_address_without_secrets_stays(address: str) -> None:
    assert redact(address) == address
    assert not has_secret(address)


def test_values_of_variables_that_are_named_like_keys_are_hidden_too() -> None:
    known = {"MY_API_KEY": "sk-1234567", "HOME": "/home/me", "A_TOKEN": "abc"}
    text = without_secrets("sk-1234567 in /home/me of abc at s3://u:p@host", known)
    assert text == "*** in /home/me of abc at s3://***@host"
