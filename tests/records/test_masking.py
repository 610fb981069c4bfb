"""Secrets that their form gives away are masked in text that is recorded or shown, and nothing else is touched."""

import pytest

from noa_mlops.records.masking import masked


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("at postgresql://user:canary@db.example.org/x", "at postgresql://***@db.example.org/x"),
        ("https://canary@host and s3://a:canary@b", "https://***@host and s3://***@b"),
        ("no file https:/a:canary@host/x", "no file https:/***@host/x"),
        ("password=canary&x=1", "password=***&x=1"),
        ("AWS_SECRET_ACCESS_KEY=canary", "AWS_SECRET_ACCESS_KEY=***"),
        ("{'api_key': 'canary', 'x': 1}", "{'api_key': '***', 'x': 1}"),
        ('{"db_password": "canary"}', '{"db_password": "***"}'),
        ("Token = canary", "Token = ***"),
        ("--token=canary;", "--token=***;"),
    ],
)
def test_masks(text, without):
    assert masked(text) == without


@pytest.mark.parametrize(
    "text",
    [
        "unexpected token: '}'",
        "KeyError: 'password'",
        "https://example.org/a@b",
        "me@example.org",
        "x = 1",
        "",
        "secrets",
    ],
)
def test_leaves_alone(text):
    assert masked(text) == text
