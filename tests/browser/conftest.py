"""A signed-in browser on a deployed appliance, described by the JSON file in RECIO_TRIAL; without it nothing here can run."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from tester import tester_password

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
SIZES = {
    "desk": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
    "small": {"width": 320, "height": 640},
}
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the whole folder, saying why, when there is no appliance to look at."""
    if not os.environ.get("RECIO_TRIAL"):
        reason = "RECIO_TRIAL is not set: `make up` brings an appliance up and writes build/trial.json"
    elif not Path(CHROMIUM).exists():
        reason = f"there is no {CHROMIUM}: apt-get install chromium"
    else:
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class Trial:
    """Where the appliance is and who signs in."""

    url: str
    ca_file: str
    login: str
    password: str
    ssh: tuple[str, ...]

    def on_host(self, command: str) -> None:
        """Run a command on the appliance as root; raises with its output when it fails."""
        done = subprocess.run([*self.ssh, command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def trial() -> Trial:
    """The appliance; its certificate is checked here once, with Python and the appliance's own CA."""
    raw = json.loads(Path(os.environ["RECIO_TRIAL"]).read_text())
    password = tester_password(raw)
    found = Trial(
        raw["url"], raw["ca_file"], raw["admin_user"], password, ("ssh", "-F", raw["ssh_config"], raw["host"])
    )
    trust = ssl.create_default_context(cafile=found.ca_file)
    with urllib.request.urlopen(f"{found.url}/livez", timeout=10, context=trust) as answer:  # noqa: S310 - https
        assert answer.status == 200
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield started
        started.close()


def new_context(browser: Browser, trial: Trial, size: str, look: str = "dark", state: Any = None) -> BrowserContext:
    """A fresh profile. Chromium has no option for a CA file: the ``trial`` fixture verified the certificate instead."""
    phone = size != "desk"
    return browser.new_context(
        base_url=trial.url, ignore_https_errors=True, viewport=SIZES[size], color_scheme=look, is_mobile=phone,
        has_touch=phone, storage_state=state,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture(scope="session")
def signed_in(browser: Browser, trial: Trial) -> Any:
    """The state of a profile that logged in by the form, once: the appliance counts log-ins."""
    context = new_context(browser, trial, "desk")
    page = context.new_page()
    page.goto("/history")
    assert page.url.endswith("/login?next=/history")
    page.get_by_label("Login").fill(trial.login)
    page.get_by_label("Password", exact=True).fill(trial.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/history")
    state = context.storage_state()
    context.close()
    return state


def goto(page: Page, path: str) -> None:
    """Go there; once more when an interface of this machine came or went meanwhile, which Chromium takes as a new network."""
    try:
        page.goto(path)
    except Error as error:
        if "ERR_NETWORK_CHANGED" not in str(error):
            raise
        page.goto(path)


@pytest.fixture
def open_page(browser: Browser, trial: Trial, signed_in: Any) -> Iterator[Any]:
    """Opens signed-in pages; fails the test on a script error or a refusal of the content security policy."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def opened(path: str, size: str = "desk", look: str = "dark") -> Page:
        context = new_context(browser, trial, size, look, signed_in)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)
        goto(page, path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not troubles, troubles
