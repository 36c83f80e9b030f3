"""The first load of the trade page in a fresh profile: bytes as sent, and the largest contentful paint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from web_tabs import two
from weblook.site import Site, goto, launched, settle

Row = tuple[str, str, str, str]
TIMES = 7
AIM_KB, AIM_LCP_S = 100.0, 1.0
_DATA = re.compile(r"/api/(bars|stream|price|strikes|events)")
_PAINTS = """() => new Promise((done) => {
    let last = null;
    new PerformanceObserver((list) => { for (const e of list.getEntries()) last = e; })
        .observe({ type: "largest-contentful-paint", buffered: true });
    setTimeout(() => done([last ? last.startTime : null, last && last.element ? last.element.tagName + "#" + last.element.id : "?",
        performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null]), 1500);
})"""


def rows(site: Site) -> Iterator[Row]:
    """Kilobytes over the wire without charts' data, and the paints, each time with an empty cache."""
    largest, first, kilobytes, what, parts = [], [], [], "", []
    with launched() as browser:
        state = site.sign_in(browser)
        for _ in range(TIMES):
            context = site.context(browser, state=state)
            page = context.new_page()
            session = context.new_cdp_session(page)
            session.send("Network.enable")
            urls: dict[str, str] = {}
            sizes: dict[str, float] = {}
            session.on(
                "Network.requestWillBeSent", lambda e, u=urls: u.__setitem__(e["requestId"], e["request"]["url"])
            )
            session.on(
                "Network.loadingFinished", lambda e, s=sizes: s.__setitem__(e["requestId"], e["encodedDataLength"])
            )
            goto(page, "/")
            settle(page)
            lcp, what, fcp = page.evaluate(_PAINTS)
            if lcp is not None:
                largest.append(lcp)
            if fcp is not None:
                first.append(fcp)
            asked: list[tuple[str, Any]] = [
                (url, sizes[key]) for key, url in urls.items() if key in sizes and not _DATA.search(url)
            ]
            parts = sorted(asked, key=lambda pair: -pair[1])[:4]
            kilobytes.append(sum(size for _, size in asked) / 1024)
            context.close()
    most = ", ".join(f"{url.rsplit('/', 1)[-1].partition('?')[0] or '/'} {size / 1024:.0f}" for url, size in parts)
    ordered = sorted(kilobytes)
    yield (
        "web: first load", f"{ordered[len(ordered) // 2]:.1f} KB", f"{ordered[-1]:.1f} KB",
        f"aim {AIM_KB:g} KB; gzip with headers, without charts' data; most: {most}",
    )  # fmt: skip
    yield "web: first contentful paint", *two(first), f"{len(first)} fresh profiles"
    yield (
        "web: largest contentful paint",
        *two(largest),
        f"aim {AIM_LCP_S * 1000:g} ms; {len(largest)} fresh profiles; {what}",
    )
