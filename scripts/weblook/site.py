"""A signed-in Chromium on an appliance, and every page one can reach from its first by links."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright
from tester import tester_password

__all__ = ["ARGS", "CHROMIUM", "SIZES", "Site", "SiteError", "goto", "key_of", "launched", "listen", "settle"]

# The same engine without a window's machinery, for two thirds of the work; a person's own Chromium serves as well.
CHROMIUM = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
SIZES = {
    "desk": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
    "small": {"width": 320, "height": 640},
}
_NOT_A_PAGE = re.compile(
    r"/(static|api/(?!docs$)|logout|livez|readyz|metrics)|\.(csv|json|ndjson|zip|gz|txt|log)$|/export|/download"
)


class SiteError(RuntimeError):
    """There is no appliance to look at, or it lets nobody in; the message says which and what to do."""


@contextmanager
def launched(*more: str, within: Sequence[str] = ()) -> Iterator[Browser]:
    """Debian's Chromium, ended afterwards; ``within``: the words that run it elsewhere (trialhost.network.visitor).

    Raises SiteError when it is not installed.
    """
    if not Path(CHROMIUM).exists():
        raise SiteError(f"there is no {CHROMIUM}: apt-get install chromium-headless-shell")
    with TemporaryDirectory(prefix="recio-browser-") as folder, sync_playwright() as playwright:
        program = Path(folder, "chromium")
        program.write_text(f'#!/bin/sh\nexec {shlex.join([*within, CHROMIUM])} "$@"\n')
        program.chmod(0o755)
        browser = playwright.chromium.launch(executable_path=program, args=[*ARGS, *more])
        try:
            yield browser
        finally:
            browser.close()


def listen(page: Page, troubles: list[str]) -> None:
    """Adds script errors and refusals of the content security policy to ``troubles``."""
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)


def goto(page: Page, path: str) -> None:
    """Go there; again when an interface of this machine came or went meanwhile, which Chromium takes as a new network."""
    for _ in range(3):
        try:
            page.goto(path)
            return
        except Error as error:
            # The second: its own page that says so arrives while one has gone on already.
            if "ERR_NETWORK_CHANGED" not in str(error) and "chrome-error://" not in str(error):
                raise
            page.wait_for_timeout(500)
    page.goto(path)


def settle(page: Page, longest_ms: int = 6_000) -> None:
    """Wait until the stream has painted every live part of the page there is; a page without a stream is ready at once."""
    page.wait_for_load_state("load")
    try:
        page.wait_for_function(
            "() => !window.desk || (window.desk.latest.price && window.desk.latest.status"
            " && (!document.querySelector('#strikes') || window.desk.latest.table))",
            timeout=longest_ms,
        )
    except Error:
        return  # without a stream the page shows what the server rendered, and says so: that is to be looked at too
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def key_of(path: str) -> str:
    """A page's name for files and messages: /history/12 and /history/34 are one page."""
    words = [("one" if re.fullmatch(r"\d+|[0-9a-f]{8,}", word) else word) for word in path.strip("/").split("/")]
    return "-".join(words) if words != [""] else "trade"


@dataclass(frozen=True)
class Site:
    """One appliance and who signs in."""

    url: str
    login: str
    password: str

    @classmethod
    def of(cls, summary: Path) -> Site:
        """From the JSON file `make up` writes. Raises SiteError when it is not there."""
        try:
            facts = json.loads(summary.read_text())
            return cls(facts["url"], facts["admin_user"], tester_password(facts))
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise SiteError(
                f"{summary} does not describe a running appliance ({error}); `make up` writes it"
            ) from error

    def context(self, browser: Browser, size: str = "desk", look: str = "dark", state: Any = None) -> BrowserContext:
        """A fresh profile. Chromium takes no CA file: who cares about the certificate checks it with Python."""
        phone = size != "desk"
        return browser.new_context(
            base_url=self.url, ignore_https_errors=True, viewport=SIZES[size], color_scheme=look, is_mobile=phone,
            has_touch=phone, storage_state=state,
        )  # type: ignore[arg-type]  # fmt: skip

    def sign_in(self, browser: Browser) -> Any:
        """The state of a profile that logged in by the form. Raises SiteError with what the page said."""
        context = self.context(browser)
        page = context.new_page()
        goto(page, "/login?next=/history")
        page.get_by_label("Login").fill(self.login)
        page.get_by_label("Password", exact=True).fill(self.password)
        page.get_by_role("button", name="Log in").click()
        try:
            page.wait_for_url(lambda url: urlsplit(url).path != "/login", timeout=15_000)
        except Error as error:
            raise SiteError(f"{self.url} refuses {self.login}: {page.locator('main').inner_text()[:300]}") from error
        state = context.storage_state()
        context.close()
        return state

    def pages(self, context: BrowserContext, dead: list[str] | None = None) -> dict[str, str]:
        """Every page that links lead to from the first, as name -> path; of pages that differ by a number only, one.

        Reads the HTML without script, so that it sees what the server links. Links that lead nowhere go into ``dead``.
        """
        found: dict[str, str] = {}
        lost: dict[str, str] = {}
        waiting = ["/"]
        while waiting:
            path = waiting.pop(0)
            key = key_of(path)
            if key in found or key in lost:
                continue
            status, answer = _get(context, path)
            if status >= 400:
                lost[key] = f"{path} answers {status}"
            if answer is None:
                continue
            found[key] = path
            for link in re.findall(r'<a\b[^>]*\bhref="(/[^"#]*)', answer):
                target = urlsplit(link.replace("&amp;", "&")).path
                if not _NOT_A_PAGE.search(target) and key_of(target) not in found:
                    waiting.append(target)
        if dead is not None:
            dead.extend(lost.values())
        return found


def _get(context: BrowserContext, path: str) -> tuple[int, str | None]:
    """Status and HTML of a page; None for what is no page. Raises SiteError when nothing answers."""
    for _ in range(2):
        try:
            answer = context.request.get(path, headers={"Accept": "text/html"}, max_redirects=5)
            break
        except Error:
            time.sleep(0.5)
    else:
        raise SiteError(f"GET {path} did not answer")
    whole = answer.ok and answer.headers.get("content-type", "").startswith("text/html")
    return answer.status, answer.text() if whole else None
