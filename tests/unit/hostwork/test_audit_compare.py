"""What of the privileged files is told to a person, and what is not: rules on entries alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recio.hostwork.audit.compare import Entry, compare, taken_over
from recio.hostwork.audit.places import ignored, ours
from recio.monitoring.audit import Difference

FILE = Entry("file", 0o644, sum="a")
PACKAGED = Entry("file", 0o644, sum="a", packaged=True)
PROGRAM = Entry("file", 0o4755, sum="a", packaged=True)


def told(
    was: Entry | None, now: Entry | None, vouched: Callable[[str, Entry], bool] = lambda _path, _entry: False
) -> str:
    found = compare({"/f": was} if was else {}, {"/f": now} if now else {}, vouched)
    return found[0].what if found else ""


def by_debian(_path: str, _entry: Entry) -> bool:
    return True


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [
        (FILE, FILE, ""),
        (FILE, Entry("file", 0o644, sum="b"), "content"),
        (FILE, Entry("file", 0o666, sum="a"), "mode 0666, was 0644"),
        (FILE, Entry("file", 0o644, 33, 33, "a"), "owner 33:33, was 0:0"),
        (FILE, Entry("file", 0o4755, 0, 0, "b"), "content; mode 4755, was 0644"),
        (FILE, Entry("file", 0o644, sum="a", capabilities="01"), "capabilities"),
        (FILE, None, "gone"),
        (FILE, Entry("link", sum="a"), "a link, was a file"),
        (None, FILE, "new"),
        (None, PROGRAM, "new setuid"),
        (None, Entry("file", 0o2755, sum="a"), "new setgid"),
        (None, Entry("file", 0o755, sum="a", capabilities="01"), "new with capabilities"),
        (Entry("link", sum="a"), Entry("link", sum="b"), "target"),
        (Entry("folder", 0o700), Entry("folder", 0o755), "mode 0755, was 0700"),
        (None, Entry("folder", 0o755, harmless=True), ""),
        (None, Entry("folder", 0o2777), "new"),
        (Entry("account", sum="a"), Entry("account", sum="b"), "content"),
        (None, Entry("account", sum="a"), "new"),
        (None, Entry("account", sum="a", harmless=True), ""),
        (Entry("account", sum="a", harmless=True), None, "gone"),
    ],
)
def test_every_difference_is_told_with_what_it_is(was: Entry | None, now: Entry | None, what: str) -> None:
    assert told(was, now) == what


def test_a_package_that_brought_this_content_ends_the_question_of_content_only() -> None:
    assert told(PACKAGED, Entry("file", 0o644, sum="b"), by_debian) == ""
    assert told(PACKAGED, Entry("file", 0o666, sum="b"), by_debian) == "mode 0666, was 0644"
    assert told(None, FILE, by_debian) == ""
    assert told(None, Entry("file", 0o646, sum="a"), by_debian) == "new"
    assert told(None, Entry("file", 0o644, 33, 33, "a"), by_debian) == "new"
    assert told(None, PROGRAM, by_debian) == "new setuid", "chmod u+s /bin/bash leaves its content as it was"
    assert told(PROGRAM, Entry("file", 0o4755, sum="b"), by_debian) == "", "an upgrade of what was setuid before"


def test_what_leaves_with_its_package_is_not_told_and_what_goes_without_it_is() -> None:
    assert told(PACKAGED, None) == ""
    assert told(PACKAGED, Entry("missing")) == "gone, though its package brought it"
    assert told(Entry("missing"), Entry("missing")) == ""
    assert told(Entry("missing"), None) == ""
    assert told(Entry("missing"), PACKAGED, by_debian) == ""


def test_a_packages_file_that_is_not_as_it_came() -> None:
    altered = Entry("altered", 0o755, sum="x", packaged=True)
    assert told(None, altered) == "not as its package brought it"
    assert told(altered, altered) == ""
    assert told(altered, Entry("altered", 0o755, sum="y")) == "not as its package brought it"
    assert told(altered, Entry("file", 0o755, sum="a"), by_debian) == "", "its reinstallation"
    assert told(altered, Entry("file", 0o4755, sum="a"), by_debian) == "mode 4755, was 0755"


def test_debian_is_asked_only_of_what_differs() -> None:
    asked: list[str] = []

    def vouched(path: str, _entry: Entry) -> bool:
        asked.append(path)
        return True

    compare({"/same": FILE, "/other": FILE}, {"/same": FILE, "/other": Entry("file", 0o644, sum="b")}, vouched)
    assert asked == ["/other"]


def test_a_deploy_takes_over_its_own_and_leaves_the_rest_a_difference() -> None:
    was = {"/etc/recio/a": FILE, "/root/.ssh/authorized_keys": FILE, "/etc/sudoers": FILE, "/etc/recio/gone": FILE}
    changed = Entry("file", 0o644, sum="b")
    now = {"/etc/recio/a": changed, "/root/.ssh/authorized_keys": changed, "/etc/cron.d/x": FILE}
    differences = compare(was, now, lambda _path, _entry: False)
    kept = taken_over(was, now, differences, ours)
    assert kept["/etc/recio/a"] == changed and "/etc/recio/gone" not in kept
    assert compare(kept, now, lambda _path, _entry: False) == [
        Difference("/etc/cron.d/x", "new"),
        Difference("/etc/sudoers", "gone"),
        Difference("/root/.ssh/authorized_keys", "content"),
    ]
    everything = taken_over(was, now, differences, lambda _path: True)
    assert everything == now


@pytest.mark.parametrize(
    ("path", "its"),
    [
        ("/etc/recio", True),
        ("/etc/recio/keys/demo/private_key", True),
        ("/etc/recio2", False),
        ("/etc/systemd/system/recio-db_poller.service", True),
        ("/etc/systemd/system/recio-db_poller.service.d/mode.conf", True),
        ("/etc/systemd/system/multi-user.target.wants/recio.target", True),
        ("/etc/systemd/system/evil.service", False),
        ("/etc/ssh/sshd_config.d/40-recio.conf", True),
        ("/etc/ssh/sshd_config", False),
        ("/etc/cron.d/recio-backup", True),
        ("/etc/cron.d/evil", False),
        ("/opt/recio/releases/1.0/venv/bin/python", True),
    ],
)
def test_what_a_deploy_writes(path: str, its: bool) -> None:
    assert ours(path) is its


def test_what_changes_by_its_nature_is_not_compared() -> None:
    assert ignored("/etc/recio/KILL") and ignored("/opt/recio/releases/1.0/.rolled_back")
    assert not ignored("/etc/recio/KILLER") and not ignored("/opt/recio/releases/1.0/.proven")
