"""A domain's certificate, by ACME from a real authority's software on the host: Pebble, Let's Encrypt's own test server.

It proves the name as a public authority does (its challenge is answered at port 80 or 443), and its certificates are short, so that a
renewal can be seen. Nothing public knows the domain: /etc/hosts leads it to the host.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from fixtures import play
from remote import Remote, wait_for

DOMAIN = "desk.example"
FOLDER = "/run/recio-test-acme"
ROOT = "/etc/caddy/recio-test-acme.pem"
UNIT = "recio-test-acme.service"
LIFETIME_S = 45
SETTINGS = {
    "pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": f"{FOLDER}/cert.pem",
        "privateKey": f"{FOLDER}/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "certificateValidityPeriod": LIFETIME_S,
    }
}
# The proxy's account and certificates there; the next Pebble knows neither.
FORGET = "cd /var/lib/caddy/.local/share/caddy && rm -rf certificates/localhost-14000-dir acme/localhost-14000-dir"
PROXY = ("playbooks/provision.yml", "--tags", "proxy_configure,proxy_run")


@pytest.fixture
def authority(remote: Remote) -> Iterator[str]:
    """Pebble at work on the host; its directory's address. Gone afterwards, with the name that led here."""
    had = remote.host.package("pebble").is_installed
    install = "apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends pebble </dev/null"
    remote.out(f"{install} >/dev/null 2>&1 || {{ apt-get -qq update && {install}; }}")
    remote.out(
        f"mkdir -p {FOLDER} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=a test'"
        f" -addext 'subjectAltName=DNS:localhost' -keyout {FOLDER}/key.pem -out {FOLDER}/cert.pem 2>/dev/null"
        f" && install -m 0644 {FOLDER}/cert.pem {ROOT}"
        f" && cp -p /etc/hosts {FOLDER}/hosts && echo '127.0.0.1 {DOMAIN}' >>/etc/hosts"
    )
    remote.out(f"cat >{FOLDER}/settings.json <<'END'\n{json.dumps(SETTINGS)}\nEND")
    remote.out(
        f"systemd-run --quiet --unit {UNIT} --setenv PEBBLE_VA_NOSLEEP=1 --setenv PEBBLE_WFE_NONCEREJECT=0"
        f" pebble -config {FOLDER}/settings.json"
    )
    try:
        ask = f"openssl s_client -connect localhost:14000 -CAfile {ROOT} -verify_return_error </dev/null"
        wait_for("the authority", lambda: remote.host.run(ask).rc == 0, 20)
        yield "https://localhost:14000/dir"
    finally:
        remote.out(f"systemctl stop {UNIT}; cat {FOLDER}/hosts >/etc/hosts; rm -rf {FOLDER} {ROOT}")
        if not had:
            remote.out("apt-get -qq purge -y pebble >/dev/null </dev/null")


def served(remote: Remote) -> dict[str, str]:
    """The certificate the page shows to who asks for the domain: issuer, subject, serial and until when; nothing while there is none."""
    shown = remote.host.run(
        f"openssl s_client -connect 127.0.0.1:443 -servername {DOMAIN} </dev/null 2>/dev/null"
        " | openssl x509 -noout -issuer -serial -enddate -ext subjectAltName 2>/dev/null"
    ).stdout
    found = dict(re.findall(r"^(issuer|serial|notAfter)=(.*)$", shown, re.MULTILINE))
    names = re.search(r"DNS:.*", shown)
    return {**found, "names": names.group()} if found and names else {}


ASK = """
import http.client, ssl, sys
from urllib.parse import urlsplit
url = urlsplit(sys.argv[1])
trust = ssl._create_unverified_context()  # the test reads the certificate itself
link = http.client.HTTPSConnection(url.hostname, context=trust) if url.scheme == "https" else http.client.HTTPConnection(url.hostname)
link.request("GET", url.path)
answer = link.getresponse()
print(answer.status, answer.getheader("Location") or "")
"""


def asked(remote: Remote, url: str) -> tuple[int, str]:
    """Status and where it leads to, asked for on the host, where the name is known."""
    status, _, location = remote.out(f"python3 - '{url}' <<'END'\n{ASK}END").strip().partition(" ")
    return int(status), location


def test_a_domain_has_its_certificate_by_acme_and_has_it_renewed(
    facts: dict[str, str], remote: Remote, healthy: None, authority: str
) -> None:
    before = remote.out("sha256sum /etc/caddy/Caddyfile")
    wanted = {"proxy_domain": DOMAIN, "proxy_acme_directory": authority, "proxy_acme_root": ROOT}
    remote.out(FORGET)
    try:
        play(facts, *PROXY, "-e", json.dumps(wanted))
        first = wait_for("a certificate of the authority", lambda: served(remote), 30)
        began_s = time.monotonic()
        assert "Pebble" in first["issuer"]
        assert first["names"] == f"DNS:{DOMAIN}"
        assert asked(remote, f"https://{DOMAIN}/login") == (200, "")
        assert asked(remote, f"http://{DOMAIN}/login") == (308, f"https://{DOMAIN}/login")
        # A third of its life before the end it is time; the proxy looks when it starts, and every ten minutes.
        time.sleep(max(0.0, LIFETIME_S * 0.75 - (time.monotonic() - began_s)))
        remote.out("systemctl restart caddy")

        def renewed() -> dict[str, str]:
            now = served(remote)
            return now if now and now["serial"] != first["serial"] else {}

        second = wait_for("another certificate", renewed, 30)
        assert "Pebble" in second["issuer"]
    finally:
        play(facts, *PROXY)
        remote.out(FORGET)
    assert remote.out("sha256sum /etc/caddy/Caddyfile") == before
    assert asked(remote, f"{facts['url']}/livez") == (200, "")
