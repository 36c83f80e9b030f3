#!/usr/bin/env python3
"""The installable page's icons from templates/static/icon.svg: PNG files beside it, in icons/. Run it when the drawing changes.

Uses Debian's chromium through Playwright, as the screenshots do. The maskable icon fills the square and keeps the drawing
inside the circle that every mask leaves.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from weblook.site import launched

STATIC = Path(__file__).resolve().parent.parent / "templates" / "static"
SAFE = 0.72  # of the side: a maskable icon's circle has a radius of 40 %
ICONS = {"icon-180.png": (180, True, 0.86), "icon-192.png": (192, False, 1.0), "icon-512.png": (512, False, 1.0),
         "icon-maskable-512.png": (512, True, SAFE)}  # fmt: skip


def page_of(svg: str, side: int, full: bool, share: float) -> str:
    """A page that shows nothing but the icon."""
    ground = re.search(r'fill="(#[0-9a-f]+)"', svg)
    if ground is None:
        sys.exit("make_icons: icon.svg has no filled ground")
    back = ground.group(1) if full else "transparent"
    drawn = re.sub("<svg ", f'<svg width="{side * share:.0f}" height="{side * share:.0f}" ', svg, count=1)
    return f'<body style="margin:0;width:{side}px;height:{side}px;background:{back};display:grid;place-items:center">{drawn}'


def main() -> None:
    """Draw them all."""
    svg = (STATIC / "icon.svg").read_text()
    (STATIC / "icons").mkdir(exist_ok=True)
    with launched() as browser:
        for name, (side, full, share) in ICONS.items():
            page = browser.new_page(viewport={"width": side, "height": side})
            page.set_content(page_of(svg, side, full, share))
            page.screenshot(path=str(STATIC / "icons" / name), omit_background=not full)
            page.close()
            print(f"icons/{name}: {(STATIC / 'icons' / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
