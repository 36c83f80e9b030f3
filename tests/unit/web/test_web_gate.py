"""Who is let in: the list of what is public, and what counts as our own page."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from recio.web.desk import local_place
from recio.web.gate import _form_token, _same_origin, is_public
from recio.web.sessions import COOKIE, cookie_token

OWN = "https://desk.example"


@pytest.mark.parametrize(
    ("method", "path", "open_to_all"),
    [
        ("GET", "/login", True), ("POST", "/login", True), ("POST", "/api/session", True), ("GET", "/livez", True),
        ("GET", "/static/abc/desk.css", True), ("POST", "/static/abc/desk.css", False), ("DELETE", "/api/session", False),
        ("GET", "/api/session", False), ("GET", "/", False), ("GET", "/api/openapi.json", False), ("GET", "/login/", False),
        ("GET", "/static", False), ("PUT", "/login", False), ("OPTIONS", "/livez", False), ("GET", "/nothing", False),
    ],
)  # fmt: skip
def test_what_is_public(method: str, path: str, open_to_all: bool) -> None:
    assert is_public(method, path) is open_to_all


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": OWN, "host": "10.0.0.4"}, True),
        ({"origin": "https://10.0.0.4", "host": "10.0.0.4"}, True),
        ({"origin": "https://evil.example", "host": "10.0.0.4"}, False),
        ({"origin": "null", "host": "10.0.0.4"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example", "host": "10.0.0.4"}, False),
    ],
)
def test_where_a_request_comes_from(headers: dict[str, str], ours: bool) -> None:
    assert _same_origin(Headers(headers), OWN) is ours


def test_a_forms_token_is_read_from_forms_only() -> None:
    form = Headers({"content-type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert _form_token(form, b"a=1&csrf_token=t%2B1") == "t+1"
    assert _form_token(Headers({"content-type": "text/plain"}), b"csrf_token=t") == ""
    assert _form_token(form, b"\xff") == "" and _form_token(form, b"&" * 500) == ""


def test_the_cookie_is_found_among_others() -> None:
    assert cookie_token(f"a=b; {COOKIE}=abc; c=d") == "abc"
    assert cookie_token("a=b") is None and cookie_token(f"{COOKIE}=") is None


@pytest.mark.parametrize(
    ("place", "goes"),
    [
        ("/history?a=1", "/history?a=1"),
        ("//evil", "/"),
        ("https://evil", "/"),
        ("/\\evil", "/"),
        ("", "/"),
        ("/a\nb", "/"),
    ],
)
def test_after_log_in_one_stays_on_the_desk(place: str, goes: str) -> None:
    assert local_place(place) == goes
