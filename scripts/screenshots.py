#!/usr/bin/env python3
"""Pictures of a running appliance for the README: docs/images/{trade,history,system,phone}.png.

    scripts/screenshots.py                         the appliance of build/trial.json (or $RECIO_TRIAL)
    scripts/screenshots.py --all --to /tmp/look    every page, dark and light, desk and phone

Uses Debian's chromium through Playwright; trusts nothing but the appliance's own address.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tester import tester_password

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PAGES = {"trade": "/", "history": "/history", "account": "/account", "system": "/system", "settings": "/settings"}


def signed_in(browser: Browser, url: str, login: str, password: str, size: dict[str, int], look: str) -> Page:
    """A page of a user who logged in by the form."""
    context = browser.new_context(
        viewport=size, color_scheme=look, ignore_https_errors=True, base_url=url, device_scale_factor=1,
        has_touch=size == PHONE, is_mobile=size == PHONE,
    )  # fmt: skip
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Login").fill(login)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    return page


def take(page: Page, path: str, place: Path, *, full: bool) -> None:
    """One picture, after the stream has painted."""
    page.goto(path)
    page.wait_for_timeout(2500)
    place.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(place), full_page=full)
    print(place)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of a running appliance.")
    parser.add_argument("--trial", default=os.environ.get("RECIO_TRIAL", str(ROOT / "build" / "trial.json")))
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="every page, both looks, both sizes, whole length")
    given = parser.parse_args()
    if not Path(CHROMIUM).exists():
        sys.exit("screenshots: there is no /usr/bin/chromium: apt-get install chromium")
    try:
        trial = json.loads(Path(given.trial).read_text())
        password = tester_password(trial)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        sys.exit(f"screenshots: {given.trial} does not describe a running appliance ({error}); `make up` writes it")
    url, login = trial["url"], trial["admin_user"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        if given.all:
            for look in ("dark", "light"):
                for name, size in (("desk", DESK), ("phone", PHONE)):
                    page = signed_in(browser, url, login, password, size, look)
                    for key, path in PAGES.items():
                        take(page, path, given.to / f"{key}-{name}-{look}.png", full=True)
                    page.context.close()
        else:
            page = signed_in(browser, url, login, password, DESK, "dark")
            for key in ("trade", "history", "system"):
                take(page, PAGES[key], given.to / f"{key}.png", full=False)
            page.context.close()
            page = signed_in(browser, url, login, password, PHONE, "dark")
            take(page, "/", given.to / "phone.png", full=False)
        browser.close()


if __name__ == "__main__":
    main()
