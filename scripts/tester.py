"""The password with which tests, pictures and benchmarks sign in to a deployed host.

The deploy's password is good for one thing, choosing another, as a user does at the first log-in. This does the same once a
host and keeps what it chose beside the deploy's file, as `tester_password`, readable by its owner only.
"""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

__all__ = ["tester_password"]


def tester_password(facts: Mapping[str, str]) -> str:
    """The password that opens the host of ``facts`` (build/NAME.json), chosen now if the deploy's still holds.

    Raises RuntimeError when neither the deploy's nor the kept one is the desk's.
    """
    made = Path(facts["admin_password_file"])
    kept = made.with_name("tester_password")
    fresh = made.stat().st_mtime_ns if made.exists() else 0
    tries = [path for path in (kept, made) if path.exists()]
    if kept.exists() and kept.stat().st_mtime_ns < fresh:
        tries.reverse()  # the host was made anew after the tests last chose one
    said = "there is no password file"
    for path in tries:
        password = path.read_text().strip()
        status, body, cookie = _send(
            facts, "POST", "/api/session", {"login": facts["admin_user"], "password": password}
        )
        if status != 200:
            said = f"{path.name}: {status} {body.get('detail', '')}"
            continue
        headers = {"Cookie": cookie, "X-CSRF-Token": body["csrf_token"]}
        if body.get("must_change_password"):
            chosen = secrets.token_urlsafe(18)
            change = {"current": password, "new": chosen}
            status, body, cookie = _send(facts, "PUT", "/api/password", change, headers)
            if status != 200:
                raise RuntimeError(f"the desk at {facts['url']} did not take a new password: {status} {body}")
            headers["Cookie"] = cookie
            kept.touch(mode=0o600)
            kept.write_text(chosen + "\n")
            password = chosen
        _send(facts, "DELETE", "/api/session", None, headers)
        return password
    raise RuntimeError(
        f"no known password opens {facts['url']} ({said}); set one: "
        f"recio user ensure --login {facts['admin_user']} --password-stdin --reset on the host, with the content of {made}"
    )


def _send(
    facts: Mapping[str, str], method: str, path: str, body: object, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], str]:  # fmt: skip
    """Status, decoded body, and the session's cookie as a Cookie header."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - https, by the facts
        facts["url"] + path, data, {"Content-Type": "application/json", **(headers or {})}, method=method
    )
    context = ssl.create_default_context(cafile=facts["ca_file"]) if facts["url"].startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:  # noqa: S310
            cookies = SimpleCookie(answer.headers.get("Set-Cookie", ""))
            cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
            return answer.status, json.loads(answer.read() or b"{}"), cookie
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text.startswith(b"{") else {"detail": text.decode(errors="replace")}, ""
