"""The look at a host's files, on a small root of the test's own: what is found, summed, vouched for, kept and told."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from recio.hostwork.audit.packages import Packages, differing
from recio.hostwork.audit.record import Audit, Record
from recio.hostwork.audit.scan import accounts, powerless, privileged_programs
from recio.monitoring.audit import read_outcome

VERIFIED = """\
??5?????? c /etc/pgbackrest.conf
??5??????   /usr/bin/a program
missing     /usr/share/doc/tar/copyright
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "root"
    for path, text in {
        "etc/recio/keys/web_key": "1234",
        "etc/recio/settings.yml": "{}",
        "etc/cron.d/daily": "v1",
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nmail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n",
        "etc/shadow": "root:*:1::::::\nmail:*:1::::::\n",
        "root/.ssh/authorized_keys": "ssh-ed25519 AAAA a",
        "usr/bin/su": "su",
        "var/lib/dpkg/status": "",
    }.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    (place / "etc/recio/keys").chmod(0o700)
    (place / "usr/bin/su").chmod(0o4755)
    (place / "bin").symlink_to("usr/bin")
    (place / "var/lib/dpkg/info").mkdir()
    monkeypatch.setenv("RECIO_AUDIT", str(tmp_path / "audit.json"))
    monkeypatch.delenv("RECIO_DEPLOY_DIR", raising=False)
    return place


@pytest.fixture
def look(root: Path) -> Callable[[], dict[str, str]]:
    """Recorded once; then every look as path -> what."""
    Audit(root, lambda: "").accept("test")

    def differences() -> dict[str, str]:
        found = Audit(root, lambda: "").look()
        assert found is not None
        return {one.path: one.what for one in found.differences}

    return differences


def brought(root: Path, path: str, text: str, conffile: bool = False) -> None:
    """dpkg's word that a package brought this content."""
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    if conffile:
        (root / "var/lib/dpkg/status").write_text(f"Package: p\nConffiles:\n /{path} {md5}\nVersion: 1\n")
    else:
        (root / "var/lib/dpkg/info/p.md5sums").write_text(f"{md5}  {path}\n")


def test_nothing_recorded_is_no_look_and_says_so(root: Path) -> None:
    assert Audit(root, lambda: "").look() is None
    found = read_outcome()
    assert found is not None and "there is no record" in found.why


def test_what_was_changed_is_named(root: Path, look: Callable[[], dict[str, str]]) -> None:
    assert look() == {}
    (root / "root/.ssh/authorized_keys").write_text("ssh-ed25519 AAAA a\nssh-ed25519 BBBB b")
    (root / "etc/recio/keys").chmod(0o755)
    (root / "usr/bin/shell").write_text("sh")
    (root / "usr/bin/shell").chmod(0o6755)
    (root / "etc/recio/settings.yml").unlink()
    (root / "etc/cron.d/evil").write_text("* * * * * root true")
    (root / "etc/passwd").write_text((root / "etc/passwd").read_text() + "toor:x:0:0::/root:/bin/sh\n")
    assert look() == {
        "/root/.ssh/authorized_keys": "content",
        "/etc/recio/keys": "mode 0755, was 0700",
        "/usr/bin/shell": "new setuid setgid",
        "/etc/recio/settings.yml": "gone",
        "/etc/cron.d/evil": "new",
        "/etc/passwd:toor": "new",
    }
    told = read_outcome()
    assert told is not None and told.count == 6
    Audit(root, lambda: "").accept("test")
    assert look() == {}
    told = read_outcome()
    assert told is not None and told.count == 0


def test_a_look_that_is_not_to_be_told_leaves_the_last_outcome(root: Path, look: Callable[[], dict[str, str]]) -> None:
    assert look() == {}
    (root / "etc/cron.d/daily").write_text("half way")
    found = Audit(root, lambda: "").look(tell=False)
    told = read_outcome()
    assert found is not None and len(found.differences) == 1 and told is not None and told.count == 0


def test_the_record_is_roots_alone_and_what_services_read_holds_no_sum(
    root: Path, tmp_path: Path, look: Callable[[], dict[str, str]]
) -> None:
    record = root / "var/lib/recio/deploy/audit.record"
    sum_ = hashlib.sha256(b"1234").hexdigest()
    assert sum_ in record.read_text() and record.stat().st_mode & 0o777 == 0o600
    (root / "etc/recio/keys/web_key").write_text("5678")
    assert look() == {"/etc/recio/keys/web_key": "content"}
    told = (tmp_path / "audit.json").read_text()
    assert sum_ not in told and hashlib.sha256(b"5678").hexdigest() not in told


def test_a_program_that_lost_its_bit_is_told(root: Path, look: Callable[[], dict[str, str]]) -> None:
    (root / "usr/bin/su").chmod(0o755)
    assert look() == {"/usr/bin/su": "mode 0755, was 4755"}


def test_what_debian_brought_is_no_alarm(root: Path, look: Callable[[], dict[str, str]]) -> None:
    (root / "usr/bin/su").write_text("su of the next version")
    (root / "usr/bin/su").chmod(0o4755)  # writing took it
    (root / "etc/cron.d/daily").write_text("v2")
    assert set(look()) == {"/usr/bin/su", "/etc/cron.d/daily"}
    brought(root, "bin/su", "su of the next version")
    brought(root, "etc/cron.d/daily", "v2", conffile=True)
    assert look() == {}
    (root / "etc/cron.d/daily").write_text("v2, and something of mine")
    assert look() == {"/etc/cron.d/daily": "content"}


def test_a_packages_program_that_is_not_as_it_came_is_named_wherever_it_lies(
    root: Path, look: Callable[[], dict[str, str]]
) -> None:
    (root / "usr/bin/a program").write_text("?")
    found = Audit(root, lambda: VERIFIED).look()
    assert found is not None
    assert {one.path: one.what for one in found.differences} == {
        "/usr/bin/a program": "not as its package brought it",
        "/usr/share/doc/tar/copyright": "gone, though its package brought it",
    }
    Audit(root, lambda: VERIFIED).accept("test")
    (root / "usr/bin/a program").write_text("??")
    found = Audit(root, lambda: VERIFIED).look()
    assert found is not None and [one.path for one in found.differences] == ["/usr/bin/a program"]
    assert look() == {"/usr/bin/a program": "content"}, "and dpkg's word alone is not enough to have it forgotten"


def test_dpkgs_words() -> None:
    assert differing(VERIFIED) == {
        "/etc/pgbackrest.conf": False,
        "/usr/bin/a program": False,
        "/usr/share/doc/tar/copyright": True,
    }


def test_a_link_of_debians_helper_is_no_alarm_and_anybody_elses_is(
    root: Path, look: Callable[[], dict[str, str]]
) -> None:
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "auditd.service").symlink_to("/lib/systemd/system/auditd.service")
    assert look() == {"/etc/systemd/system/multi-user.target.wants/auditd.service": "new"}
    noted = root / "var/lib/systemd/deb-systemd-helper-enabled/multi-user.target.wants"
    noted.mkdir(parents=True)
    (noted / "auditd.service").touch()
    assert look() == {}


def test_root_takes_over_what_it_changed_itself_and_nothing_else(
    root: Path, look: Callable[[], dict[str, str]]
) -> None:
    (root / "etc/recio/exchange_keys.json").write_text("{}")
    (root / "etc/cron.d/evil").write_text("x")
    Audit(root, lambda: "").take_over(("etc/recio/exchange_keys.json",), "the page's requests")
    assert look() == {"/etc/cron.d/evil": "new"}
    record = msgspec.json.decode((root / "var/lib/recio/deploy/audit.record").read_bytes(), type=Record)
    assert record.by == "test, then the page's requests"


def test_a_damaged_record_is_no_record(root: Path, look: Callable[[], dict[str, str]]) -> None:
    (root / "var/lib/recio/deploy/audit.record").write_text('{"at_s": 1, "by"')
    assert Audit(root, lambda: "").look() is None


@pytest.mark.parametrize(
    ("file", "line", "nothing"),
    [
        ("passwd", "caddy:x:998:998::/var/lib/caddy:/usr/sbin/nologin", True),
        ("passwd", "eve:x:998:998::/:/bin/sh", False),
        ("passwd", "eve:x:0:0::/:/usr/sbin/nologin", False),
        ("passwd", "eve:x:1000:1000::/:/usr/sbin/nologin", False),
        ("passwd", "nonsense", False),
        ("shadow", "caddy:!:19000::::::", True),
        ("shadow", "caddy:*:19000::::::", True),
        ("shadow", "eve::19000::::::", False),
        ("shadow", "eve:$y$j9T$x:19000::::::", False),
        ("group", "caddy:x:998:", True),
        ("group", "sudo2:x:27:eve", False),
        ("gshadow", "caddy:!::", True),
        ("gshadow", "caddy:!:eve:", False),
        ("gshadow", "caddy:!::eve", False),
    ],
)
def test_a_new_account_that_nobody_can_use_is_what_packages_make(file: str, line: str, nothing: bool) -> None:
    assert powerless(file, line.split(":")) is nothing


def test_a_name_that_is_no_text_is_told_like_any_other(root: Path, look: Callable[[], dict[str, str]]) -> None:
    (root / "etc/cron.d" / os.fsdecode(b"a\xff\n")).write_text("x")
    program = root / "usr/bin" / os.fsdecode(b"b\xfe")
    program.write_text("x")
    program.chmod(0o4755)
    (root / "etc/passwd").write_bytes((root / "etc/passwd").read_bytes() + b"e\xff:x:0:0::/:/bin/sh\n")
    wanted = {"/etc/cron.d/a\\xff\\n": "new", "/usr/bin/b\\xfe": "new setuid", "/etc/passwd:e\\xff": "new"}
    assert look() == wanted
    Audit(root, lambda: "").accept("test")
    assert look() == {}


def test_two_lines_of_one_name_are_two_entries(root: Path) -> None:
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/bash\nroot:x:0:0::/:/bin/sh\n")
    assert {"/etc/passwd:root", "/etc/passwd:root+"} <= accounts(root).keys()


def test_programs_that_run_with_other_rights_are_found_and_links_not_followed(root: Path) -> None:
    (root / "usr/bin/out").symlink_to("/")
    (root / "usr/bin/loop").symlink_to("..")
    assert {str(path.relative_to(root)) for path in privileged_programs(root)} == {"usr/bin/su"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives capabilities")
def test_a_program_with_capabilities_is_found(root: Path) -> None:
    program = root / "usr/bin/raw"
    program.write_text("x")
    program.chmod(0o755)
    os.setxattr(program, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    assert program in set(privileged_programs(root))


def test_packages_of_a_host_without_dpkg_own_nothing(tmp_path: Path) -> None:
    assert not Packages(tmp_path).owns("/bin/su")
