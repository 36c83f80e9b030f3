"""The appliance as a stranger on the network and as a browser meets it: TLS, headers, cookies, what needs a session, probes."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from weblook.site import key_of

INLINE = re.compile(r"^on[a-z]+$")
CSP_MUST = {"default-src": "'none'", "script-src": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'"}


def ask(trial: Any, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """One request by plain Python with the appliance's CA; header names in lower case, repeated ones joined by a newline."""
    place = urlsplit(trial.url)
    trust = ssl.create_default_context(cafile=trial.ca_file)
    link = http.client.HTTPSConnection(place.hostname or "", place.port or 443, context=trust, timeout=15)
    link.request(method, path, headers=headers or {})
    answer = link.getresponse()
    found: dict[str, str] = {}
    for name, value in answer.getheaders():
        found[name.lower()] = f"{found[name.lower()]}\n{value}" if name.lower() in found else value
    body = answer.read()
    link.close()
    return answer.status, found, body


@pytest.fixture(scope="module")
def cookie(signed_in: Any) -> dict[str, str]:
    """The Cookie header of the signed-in profile."""
    return {"Cookie": "; ".join(f"{c['name']}={c['value']}" for c in signed_in["cookies"]), "Accept": "text/html"}


class _Inline(HTMLParser):
    """Collects what a strict policy refuses: inline script and style, event handlers, javascript: links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        data = tag == "script" and (given.get("type") or "").endswith("json")
        if (tag == "script" and "src" not in given and not data) or tag == "style":
            self.found.append(f"<{tag}> inline")
        for name, value in attrs:
            if INLINE.match(name) or name == "style":
                self.found.append(f"{tag} {name}={value}")
            if name in ("src", "href", "action") and value:
                if value.lower().startswith(("javascript:", "data:")):
                    self.found.append(f"{tag} {name}={value[:40]}")
                if re.match(r"(https?:)?//", value) and tag != "a":
                    self.outside.append(f"{tag} {name}={value}")


def policy(text: str) -> dict[str, str]:
    """A content security policy by directive."""
    return {part.split()[0]: " ".join(part.split()[1:]) for part in text.split(";") if part.strip()}


def test_every_page_has_the_headers_and_nothing_inline(trial: Any, cookie: Any, site_pages: dict[str, str]) -> None:
    wrong: dict[str, list[str]] = {}
    for path in (*site_pages.values(), "/login"):
        status, headers, body = ask(trial, "GET", path, cookie if path != "/login" else None)
        rules = policy(headers.get("content-security-policy", ""))
        found = [f"status {status}"] if status != 200 else []
        found += [f"CSP {name} {rules.get(name)}" for name, value in CSP_MUST.items() if rules.get(name) != value]
        found += [
            f"CSP {name} {value}" for name, value in rules.items() if re.search(r"unsafe|\*|https?:|data:", value)
        ]
        expected = {
            "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
            "cache-control": "no-store",
        }  # fmt: skip
        found += [f"{name}: {headers.get(name)}" for name, value in expected.items() if headers.get(name) != value]
        if int(re.search(r"max-age=(\d+)", headers.get("strict-transport-security", "max-age=0"))[1]) < 86_400:  # type: ignore[index]
            found.append("strict-transport-security")
        found += [f"tells {name}" for name in ("server", "x-powered-by") if name in headers]
        parser = _Inline()
        parser.feed(body.decode())
        found += parser.found + [f"not our own: {link}" for link in parser.outside]
        if found:
            wrong[key_of(path)] = found
    assert not wrong, wrong


def test_no_link_leads_nowhere(browser: Any, trial: Any, signed_in: Any) -> None:
    dead: list[str] = []
    context = trial.site.context(browser, state=signed_in)
    trial.site.pages(context, dead)
    context.close()
    assert not dead


def test_every_page_needs_a_session(trial: Any, site_pages: dict[str, str]) -> None:
    for path in site_pages.values():
        status, headers, _ = ask(trial, "GET", path, {"Accept": "text/html"})
        if path.startswith("/api/"):
            assert status in (303, 401), (path, status)
        else:
            assert status == 303 and headers["location"].startswith("/login"), (path, status, headers)
    for path in (
        "/api/stream",
        "/api/price",
        "/api/trades",
        "/metrics",
        "/api/openapi.json",
        "/nowhere",
        "/static/../etc/passwd",
    ):
        status, _, body = ask(trial, "GET", path)
        assert status in (401, 404), (path, status)
        assert b"root:" not in body
    assert ask(trial, "POST", "/api/tickets")[0] == 401


def test_the_cookie_is_for_this_host_only_and_out_of_script_s_reach(signed_in: Any) -> None:
    sessions = [c for c in signed_in["cookies"] if c["name"].startswith("__Host-")]
    assert sessions and all(c["secure"] and c["httpOnly"] and c["sameSite"] == "Strict" for c in sessions)
    assert all(c["path"] == "/" and not c["domain"].startswith(".") for c in sessions)
    assert len(sessions) == len(signed_in["cookies"]), "no cookie beside the session's"


def test_probes_say_little_to_strangers(trial: Any) -> None:
    status, _, body = ask(trial, "GET", "/livez")
    assert status == 200 and len(body) < 200
    status, _, body = ask(trial, "GET", "/readyz")
    assert status in (200, 503) and len(body) < 500
    assert not re.search(rb"password|Traceback|/opt/|/var/", body), body
    assert ask(trial, "GET", "/metrics")[0] == 401, "measures need a token"


def test_metrics_answer_who_may_see_them(trial: Any, cookie: dict[str, str]) -> None:
    status, headers, body = ask(trial, "GET", "/metrics", {"Cookie": cookie["Cookie"]})
    assert status == 200 and headers["content-type"].startswith("text/plain")
    lines = [line for line in body.decode().splitlines() if line and not line.startswith("#")]
    assert lines and all(re.match(r"^[a-z_:][a-z0-9_:]*(\{.*\})? -?[0-9.eE+-]+(Inf|NaN)?$", line) for line in lines)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(trial: Any, version: ssl.TLSVersion) -> None:
    place = urlsplit(trial.url)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    with (
        socket.create_connection((place.hostname or "", place.port or 443), timeout=10) as raw,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(raw, server_hostname=place.hostname)


def test_plain_http_is_sent_to_https(trial: Any) -> None:
    link = http.client.HTTPConnection(urlsplit(trial.url).hostname or "", 80, timeout=10)
    link.request("GET", "/")
    answer = link.getresponse()
    assert answer.status in (301, 302, 307, 308) and (answer.getheader("Location") or "").startswith("https://")
    link.close()
