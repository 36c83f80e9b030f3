#!/usr/bin/env python3
"""Pictures of every page and dialog of a running appliance (`make screenshots`), and what is ugly on them.

    scripts/screenshots.py                        docs/screenshots: 1440 and 390 px, dark and light, with a gallery
    scripts/screenshots.py --readme               docs/images/{trade,history,system,phone}.png
    scripts/screenshots.py --to /tmp/look         elsewhere; --only trade,system: some pages

Uses Debian's chromium through Playwright. Ends with 1 when something overlaps, is cut off or says undefined.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page
from weblook.dialogs import dialogs
from weblook.layout import flaws
from weblook.site import SIZES, Site, SiteError, goto, launched, settle

ROOT = Path(__file__).resolve().parent.parent
COLOURS = 48
TALLEST_PX = 2600  # of a long page the rest says nothing new
NAMES = {"desk": "1440 px", "phone": "390 px"}


@dataclass(frozen=True)
class Shot:
    """A picture on disk, and what was found on the page."""

    name: str
    size: str
    look: str
    flaws: tuple[str, ...]

    @property
    def file(self) -> str:
        """Its name in the folder."""
        return f"{self.name}-{self.size}-{self.look}.png"


def save(raw: bytes, place: Path) -> None:
    """Fewer colours, no alpha, hard compressed: a page has few colours."""
    image = Image.open(io.BytesIO(raw)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(place, optimize=True)


def of_page(page: Page, name: str, path: str, size: str, look: str, to: Path) -> Iterator[Shot]:
    """The page in its whole length, then each of its dialogs as a window shows it."""
    goto(page, path)
    settle(page)
    # The bar's ages are painted by the next tick of the page's clock, up to a second later.
    page.wait_for_function("() => document.querySelector('#v-price')?.textContent !== '–'")
    yield Shot(name, size, look, tuple(flaws(page)))
    long = page.evaluate("() => document.documentElement.scrollHeight")
    # A window as tall as the page: what is fixed to its lower edge must not lie in the middle of the picture.
    page.set_viewport_size(SIZES[size] | {"height": max(SIZES[size]["height"], min(long, TALLEST_PX))})  # type: ignore[arg-type]
    page.wait_for_timeout(300)
    save(page.screenshot(), to / f"{name}-{size}-{look}.png")
    page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    for dialog in dialogs(page):
        if name != "trade" and dialog in _SHARED:
            continue  # one picture of what every page has
        shot = Shot(f"{name}-{dialog}", size, look, tuple(flaws(page)))
        save(page.screenshot(), to / shot.file)
        yield shot


_SHARED = ("ask", "help", "keys", "shortcuts")


def every(site: Site, browser: Browser, to: Path, only: set[str]) -> Iterator[Shot]:
    """Every page and dialog, desk and phone, dark and light."""
    state: Any = site.sign_in(browser)
    for size in NAMES:
        for look in ("dark", "light"):
            outside = site.context(browser, size, look)
            if not only or "login" in only:
                yield from of_page(outside.new_page(), "login", "/login", size, look, to)
            outside.close()
            context = site.context(browser, size, look, state)
            page = context.new_page()
            for name, path in sorted(site.pages(context).items()):
                if not only or name in only:
                    yield from of_page(page, name, path, size, look, to)
            context.close()


def gallery(to: Path, shots: list[Shot]) -> None:
    """README.md of the folder: a table of pictures by page."""
    lines = ["# The page in pictures", "", "Made by `make screenshots` on a trial host; do not edit.", ""]
    for name in dict.fromkeys(shot.name for shot in shots):
        lines += [f"## {name.replace('-', ' ').capitalize()}", ""]
        mine = [shot for shot in shots if shot.name == name]
        lines.append("| " + " | ".join(f"{NAMES[shot.size]}, {shot.look}" for shot in mine) + " |")
        lines.append("|" + "---|" * len(mine))
        lines += ["| " + " | ".join(f"![{name}, {NAMES[s.size]}, {s.look}]({s.file})" for s in mine) + " |", ""]
    (to / "README.md").write_text("\n".join(lines), encoding="utf-8")


def for_readme(site: Site, browser: Browser, to: Path) -> None:
    """The four pictures of the project's README."""
    state: Any = site.sign_in(browser)
    for name, path, size in (
        ("trade", "/", "desk"), ("history", "/history", "desk"), ("system", "/system", "desk"), ("phone", "/", "phone"),
    ):  # fmt: skip
        context = site.context(browser, size, "dark", state)
        page = context.new_page()
        goto(page, path)
        settle(page)
        page.wait_for_timeout(2500)
        save(page.screenshot(), to / f"{name}.png")
        context.close()


def main() -> int:
    """Take the pictures, say what is ugly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trial", default=os.environ.get("RECIO_TRIAL", str(ROOT / "build" / "trial.json")))
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--only", default="", help="names of pages, with commas")
    parser.add_argument("--readme", action="store_true", help="only the README's four, into docs/images")
    given = parser.parse_args()
    try:
        site = Site.of(Path(given.trial))
        with launched() as browser:
            if given.readme:
                for_readme(site, browser, ROOT / "docs" / "images")
                return 0
            given.to.mkdir(parents=True, exist_ok=True)
            only = set(filter(None, given.only.split(",")))
            shots = []
            for shot in every(site, browser, given.to, only):
                shots.append(shot)
                for flaw in shot.flaws:
                    print(f"{shot.file}: {flaw}")
    except SiteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    made = {shot.file for shot in shots}
    if not only:
        for old in given.to.glob("*.png"):
            if old.name not in made:
                old.unlink()
        gallery(given.to, shots)
    size = sum((given.to / file).stat().st_size for file in made) / 2**20
    ugly = sum(bool(shot.flaws) for shot in shots)
    print(f"{len(shots)} pictures, {size:.1f} MB, in {given.to}; {ugly} with something to mend")
    return 1 if ugly else 0


if __name__ == "__main__":
    sys.exit(main())
