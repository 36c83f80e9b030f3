"""The host itself: files and their rights, listeners, logs, users, the release, the page's certificate."""

from __future__ import annotations

import re
import socket
import ssl
import urllib.error
import urllib.request

import pytest
from desk import Desk
from remote import Remote, wait_for
from testinfra.host import Host

from recio.contract import Contract

OPEN_PORTS = {22, 80, 443}


def listeners(remote: Remote) -> set[tuple[str, int]]:
    """(address, port) of every listening TCP socket."""
    found = set()
    for line in remote.out("ss --listening --tcp --numeric --no-header").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        found.add((address.strip("[]").split("%")[0], int(port)))
    return found


def is_loopback(address: str) -> bool:
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


def test_only_the_proxy_and_ssh_listen_to_the_world(remote: Remote) -> None:
    outside = {port for address, port in listeners(remote) if not is_loopback(address)}
    assert outside <= OPEN_PORTS
    assert {22, 443} <= outside


def test_main_app_database_and_simulator_listen_on_loopback(remote: Remote, contract: Contract) -> None:
    inside = {port for address, port in listeners(remote) if is_loopback(address)}
    assert {contract.services["main_app"].port, contract.ports["simulator"]} <= inside


def test_closed_ports_cannot_be_reached(facts: dict[str, str], contract: Contract) -> None:
    for port in (contract.services["main_app"].port, contract.ports["simulator"], contract.ports["postgresql"]):
        with pytest.raises(OSError):
            socket.create_connection((facts["address"], port), timeout=2).close()


def test_firewall_drops_by_default(remote: Remote, facts: dict[str, str]) -> None:
    if facts["kernel"] == "uml":
        pytest.skip("user-mode Linux has no nftables for IP: a container's kernel proves the rules")
    rules = remote.out("nft list ruleset")
    assert re.search(r"hook input priority [^;]+; policy drop;", rules)


@pytest.mark.parametrize(
    ("path", "mode", "owner"),
    [
        ("/etc/recio/contract.yml", 0o644, "root"),
        ("/etc/recio/modes/simulated/settings.yml", 0o644, "root"),
        ("/etc/recio/keys", 0o700, "root"),
        ("/etc/recio/keys/simulated/private_key", 0o600, "root"),
        ("/var/lib/recio/simulator", 0o700, "recio_simulator"),
    ],
)
def test_file_rights(host: Host, path: str, mode: int, owner: str) -> None:
    file = host.file(path)
    assert file.exists
    assert (oct(file.mode), file.user) == (oct(mode), owner)


def test_release_is_installed_beside_others_and_cannot_be_changed_by_services(host: Host, remote: Remote) -> None:
    current = host.file("/opt/recio/current")
    assert current.is_symlink
    release = remote.out("readlink -f /opt/recio/current").strip()
    assert release.startswith("/opt/recio/releases/")
    assert host.file(release).user == "root"
    assert remote.out(f"find {release} -not -user root -o -perm /022 -not -type l | head -3").strip() == ""
    version = release.rsplit("/", 1)[1]
    assert version in remote.out("recio version")
    assert remote.status()["version"] == version


def test_services_have_users_without_a_shell(host: Host, contract: Contract) -> None:
    for name in contract.services:
        user = host.user(name)
        assert user.exists
        assert user.shell in ("/usr/sbin/nologin", "/bin/false")
        assert user.uid < 1000


def test_root_file_system_is_mounted_without_access_times(remote: Remote) -> None:
    lines = [line.split() for line in remote.out("cat /etc/fstab").splitlines() if line and not line.startswith("#")]
    roots = [fields for fields in lines if len(fields) > 3 and fields[1] == "/"]
    if not roots:
        pytest.skip("this host has no line for / in fstab: a container's root belongs to the machine around it")
    assert "noatime" in roots[0][3].split(",")
    assert "noatime" in remote.out("findmnt --noheadings --output OPTIONS /").split(",")


def test_logs_stay_within_their_budget(remote: Remote, contract: Contract) -> None:
    assert remote.host.run("logrotate --debug /etc/logrotate.conf").rc == 0
    journal = remote.out("systemd-analyze cat-config systemd/journald.conf")
    limit = re.findall(r"(?m)^SystemMaxUse=(\d+)M", journal)
    assert limit, "the journal has no limit of its own"
    assert int(limit[-1]) <= contract.directories["logs"].size_mb
    used_mb = int(remote.out("du -sm /var/log").split()[0])
    assert used_mb <= contract.directories["logs"].size_mb


def test_cron_and_rotation_are_there(remote: Remote) -> None:
    states = remote.show(["cron.service", "logrotate.timer"], "ActiveState")
    assert {name: unit["ActiveState"] for name, unit in states.items()} == {
        "cron.service": "active",
        "logrotate.timer": "active",
    }


def test_ssh_takes_keys_only(remote: Remote) -> None:
    effective = dict(line.split(" ", 1) for line in remote.out("sshd -T").splitlines() if " " in line)
    assert effective["passwordauthentication"] == "no"
    assert effective["kbdinteractiveauthentication"] == "no"
    assert effective["permitrootlogin"] in ("without-password", "prohibit-password", "no")


def test_page_has_a_certificate_of_its_own_ca(facts: dict[str, str]) -> None:
    context = ssl.create_default_context(cafile=facts["ca_file"])
    with urllib.request.urlopen(f"{facts['url']}/login", context=context, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "max-age" in answer.headers["Strict-Transport-Security"]
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{facts['url']}/login", timeout=10)  # noqa: S310


def test_plain_http_leads_to_https(facts: dict[str, str]) -> None:
    with socket.create_connection((facts["address"], 80), timeout=5) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {facts['address']}\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read().decode()
    assert answer.split()[1] in ("301", "308")
    assert f"Location: https://{facts['address']}/" in answer


def test_metrics_tell_what_must_be_renewed_and_cleared_in_time(remote: Remote, desk: Desk, contract: Contract) -> None:
    remote.out("recio requests measure")  # as cron does

    def told() -> dict[str, float]:  # system_monitor looks once a minute, from its own sandbox
        lines = [
            line.split() for line in desk.raw("/metrics").decode().splitlines() if line and not line.startswith("#")
        ]
        found = {words[0]: float(words[1]) for words in lines}
        return found if "recio_certificate_expires_seconds" in found else {}

    found = wait_for("a look at the certificate", told, 90, every_s=2)
    assert 0 < found["recio_certificate_expires_seconds"] <= found["recio_certificate_lifetime_seconds"]
    assert found["recio_security_updates_pending"] >= 0
    assert 0 <= found["recio_package_lists_age_seconds"] < contract.upkeep.updates.lists_max_days * 86400
    assert found['recio_service_open_files{service="db_poller",tier="system"}'] > 3


def found_ill(said: str, facts: dict[str, str]) -> list[str]:
    """What the doctor calls bad. A machine with its own clock is rightly not synchronised where no time server can be reached."""
    bad = [line for line in said.splitlines() if line.startswith("BAD")]
    return [line for line in bad if facts["kernel"] == "shared" or "clock not synchronised" not in line]


def test_doctor_finds_nothing_wrong(remote: Remote, facts: dict[str, str]) -> None:
    done = remote.host.run("recio doctor")
    assert found_ill(done.stdout, facts) == [], done.stdout + done.stderr
    assert done.rc == (1 if "BAD" in done.stdout else 0), done.stdout + done.stderr


def test_doctor_names_what_is_ill_with_its_cure(remote: Remote, facts: dict[str, str]) -> None:
    key, drop_in = "/etc/recio/keys/web_key", "/run/systemd/system/recio-db_poller.service.d/other.conf"
    remote.host.run("systemd-run --quiet --wait --unit=recio-test-ill /bin/false")
    remote.out(
        f"chmod 644 {key} && mkdir -p {drop_in.rpartition('/')[0]} && printf '[Service]\\nNice=19\\n' > {drop_in}"
    )
    remote.out("systemctl daemon-reload")
    try:
        done = remote.host.run("recio doctor")
    finally:
        remote.out(
            f"chmod 600 {key}; rm -r {drop_in.rpartition('/')[0]}; systemctl reset-failed recio-test-ill; systemctl daemon-reload"
        )
    assert done.rc == 1
    ill = found_ill(done.stdout, facts)
    assert len(ill) == 2, done.stdout
    units, rights = ill
    assert "recio-test-ill.service failed" in units and f"recio-db_poller.service is changed by {drop_in}" in units
    assert f"{key} is open to others (mode 644)" in rights
    assert done.stdout.count("cure: ") == done.stdout.count("BAD")


def test_cron_builds_the_model_at_night(remote: Remote) -> None:
    lines = [
        line
        for line in remote.out("cat /etc/cron.d/recio-model").splitlines()
        if "recio-model" in line and " root " in line
    ]
    assert len(lines) == 1
    assert lines[0].startswith("20 3 * * * root ")
    assert all(step in lines[0] for step in ("history fetch", "model build", "calibrate", "logger -t recio-model"))
    done = remote.host.run("recio model list --json")
    assert done.rc == 0, done.stderr
