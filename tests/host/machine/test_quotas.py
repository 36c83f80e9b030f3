"""The budgets of folders as quotas of the file system: the kernel refuses what is above, to one folder and to no other."""

from __future__ import annotations

from typing import Any

import pytest
from remote import Remote

UNIT = "recio-quotas.service"


def limits(remote: Remote) -> dict[int, tuple[int, int]]:
    """Project -> (used, allowed) in KiB, as the kernel has them."""
    listed = remote.out("repquota --project --no-names --raw-grace /")
    rows = [line.split() for line in listed.splitlines() if line.startswith("#")]
    return {int(row[0].lstrip("#")): (int(row[2]), int(row[4])) for row in rows}


@pytest.fixture(scope="module")
def held(declared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The folders whose budget the file system holds."""
    found = {name: row for name, row in declared["directories"].items() if row.get("project")}
    assert len(found) >= 5
    return found


def test_the_kernel_holds_every_directorys_budget(remote: Remote, held: dict[str, dict[str, Any]]) -> None:
    assert remote.out(f"systemctl is-active {UNIT}; systemctl is-enabled {UNIT}").split() == ["active", "enabled"]
    assert (
        "is on" in remote.host.run("quotaon --project --print-state /").stdout
    )  # its status says it too, the other way round
    assert {row["project"]: 1024 * row["size_mb"] for row in held.values()} == {
        project: allowed for project, (_used, allowed) in limits(remote).items() if project
    }


def test_a_full_folder_is_refused_more_and_its_neighbours_are_not(
    remote: Remote, held: dict[str, dict[str, Any]]
) -> None:
    full, other = held["user_0001"], held["live_data"]
    write = "cd / && runuser -u recio -- dd if=/dev/zero of={path}/fill bs=1M count={mb} status=none"
    before = limits(remote)[full["project"]][0]
    try:
        refused = remote.host.run(write.format(path=full["path"], mb=full["size_mb"] + 10))
        assert refused.rc != 0 and "quota exceeded" in refused.stderr, refused.stderr
        used, allowed = limits(remote)[full["project"]]
        assert allowed - 1024 <= used <= allowed, "it stopped elsewhere"
        remote.out(write.format(path=other["path"], mb=full["size_mb"] + 10))
        remote.out("cd / && runuser -u recio -- touch {path}/fits".format(path=held["user_data"]["path"]))
        assert not remote.unhealthy(), "a full folder of a user's is nothing the desk lives by"
    finally:
        remote.out(f"rm -f {full['path']}/fill {other['path']}/fill {held['user_data']['path']}/fits")
    assert limits(remote)[full["project"]][0] <= before + 8


def test_what_is_made_in_a_folder_counts_there(remote: Remote, held: dict[str, dict[str, Any]]) -> None:
    folder = held["archives"]
    try:
        remote.out(
            f"install -d -o recio_research -g recio {folder['path']}/research/new && touch {folder['path']}/research/new/file"
        )
        for path in (f"{folder['path']}/research/new", f"{folder['path']}/research/new/file"):
            assert remote.out(f"lsattr -p -d {path}").split()[0] == str(folder["project"]), path
    finally:
        remote.out(f"rm -rf {folder['path']}/research/new")
