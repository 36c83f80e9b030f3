"""Settings, Exchange on a deployed host: a key given by file and by paste, refused and taken, followed to its end on the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accessibility import violations
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.sync_api import Browser, Page, expect
from weblook.site import goto

HERE = "/settings/exchange"
LOOKS = [("desk", "dark"), ("desk", "light"), ("phone", "dark"), ("small", "light")]


@pytest.fixture(scope="module")
def lately(browser: Browser, trial: Any) -> Any:
    """A session of its own that gave its password just now."""
    return trial.site.sign_in(browser)


@pytest.fixture
def exchange(browser: Browser, trial: Any, lately: Any) -> Iterator[Any]:
    contexts = []

    def opened(size: str = "desk", look: str = "dark") -> Page:
        context = trial.site.context(browser, size, look, lately)
        contexts.append(context)
        page = context.new_page()
        goto(page, HERE)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("size", "look"), LOOKS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(exchange: Any, size: str, look: str) -> None:
    page = exchange(size, look)
    expect(page.get_by_label("Private key (PEM)")).to_be_visible()
    found = violations(page)
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1], widths


@pytest.mark.timeout(300)  # two checks by the exchange, three services restarted and proven
def test_a_key_is_read_from_a_file_refused_by_the_exchange_and_the_hosts_own_taken(
    exchange: Any, trial: Any, tmp_path: Path
) -> None:
    page = exchange()
    key_id = trial.on_host("cat /etc/recio/keys/key_id").strip()
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    page.get_by_label("Key id", exact=True).fill(key_id)
    page.get_by_label("or take it from a file").set_input_files(wrong)
    expect(page.get_by_text("wrong.pem was read into the field above.")).to_be_visible()
    assert page.get_by_label("Private key (PEM)").input_value() == wrong.read_text()
    page.get_by_role("button", name="Check and store the key").click()
    newest = page.locator("#asked-list li").first
    expect(newest).to_contain_text("INCORRECT_API_KEY_SIGNATURE", timeout=60_000)
    expect(newest).to_contain_text("nothing was changed")
    expect(newest.locator(".state")).to_have_text("refused")
    assert page.get_by_label("Private key (PEM)").input_value() == "", "never shown again"

    page.get_by_label("Key id", exact=True).fill(key_id)
    page.get_by_label("Private key (PEM)").fill(trial.on_host("cat /etc/recio/keys/simulated/private_key"))
    page.get_by_role("button", name="Check and store the key").click()
    newest = page.locator("#asked-list li").first
    expect(newest).to_contain_text("every service that signs proved its function", timeout=120_000)
    page.reload()
    row = page.locator("#exchange-keys tbody tr").first
    expect(row).to_contain_text(f"…{key_id[-4:]}")
    expect(row).to_contain_text("RSA 2048")
    expect(row).to_contain_text("SHA256:")


def test_without_the_password_of_the_last_minutes_there_is_no_form_to_lose_a_key_in(exchange: Any, trial: Any) -> None:
    mine = "SELECT token_hash FROM users.sessions ORDER BY created_at DESC LIMIT 1"
    statement = f"UPDATE users.sessions SET proven_at = NULL WHERE token_hash = ({mine})"
    trial.on_host("cd / && runuser -u postgres -- psql -q rec_io_db", statement)
    page, asked = exchange(), "Confirm it is you"
    for _ in range(20):  # the page remembers for a moment a session that it looked up
        if page.get_by_role("link", name=asked).is_visible():
            break
        page.wait_for_timeout(250)
        page.reload()
    expect(page.get_by_role("link", name=asked)).to_be_visible()
    assert page.locator("textarea").count() == 0
