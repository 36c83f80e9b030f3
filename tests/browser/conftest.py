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
from playwright.sync_api import Browser, BrowserContext, Page

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "scripts")]

from tester import tester_password  # noqa: E402 - of scripts/
from trialhost import network  # noqa: E402 - of scripts/
from weblook.site import CHROMIUM, Site, goto, launched, listen  # noqa: E402 - of scripts/


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the whole folder, saying why, when there is no appliance to look at."""
    if not os.environ.get("RECIO_TRIAL"):
        reason = "RECIO_TRIAL is not set: `make up` brings an appliance up and writes build/trial.json"
    elif not Path(CHROMIUM).exists():
        reason = f"there is no {CHROMIUM}: apt-get install chromium-headless-shell"
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

    @property
    def site(self) -> Site:
        """The appliance as a browser sees it."""
        return Site(self.url, self.login, self.password)

    def on_host(self, command: str, given: str = "") -> str:
        """What a command on the appliance, as root, wrote; raises with it when the command fails."""
        done = subprocess.run(
            [*self.ssh, command], input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


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
    """Debian's Chromium, in a network of its own: hosts that come and go beside it are not a new network to it."""
    with network.visitor() as within, launched(within=within) as started:
        yield started


def new_context(browser: Browser, trial: Trial, size: str, look: str = "dark", state: Any = None) -> BrowserContext:
    """A fresh profile; the ``trial`` fixture verified the certificate."""
    return trial.site.context(browser, size, look, state)


@pytest.fixture(scope="session")
def signed_in(browser: Browser, trial: Trial) -> Any:
    """The state of a profile that logged in by the form, once: the appliance counts log-ins."""
    return trial.site.sign_in(browser)


@pytest.fixture(scope="session")
def site_pages(browser: Browser, trial: Trial, signed_in: Any) -> dict[str, str]:
    """Every page links lead to, as name -> path: what is new is looked at without a list that somebody must keep."""
    context = new_context(browser, trial, "desk", state=signed_in)
    found = trial.site.pages(context)
    context.close()
    assert {"trade", "history", "account", "system", "settings"} <= found.keys(), found
    return found


@pytest.fixture
def open_page(browser: Browser, trial: Trial, signed_in: Any) -> Iterator[Any]:
    """Opens signed-in pages; fails the test on a script error or a refusal of the content security policy."""
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def opened(path: str, size: str = "desk", look: str = "dark") -> Page:
        context = new_context(browser, trial, size, look, signed_in)
        contexts.append(context)
        page = context.new_page()
        listen(page, troubles)
        goto(page, path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not troubles, troubles
