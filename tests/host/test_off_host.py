"""The copy on another machine, over real SSH with the unit that makes it; here that machine is the host itself, as another user."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import keeper
import pytest
from remote import Remote, wait_for

from recio.contract import Contract

UNITS, COPY = "recio-off-host.path recio-off-host.timer", "recio-off-host.service"
STATUS = "/var/lib/recio/backup/off_host.json"
SETTINGS = "/etc/recio/off_host.yml"


@pytest.fixture(scope="module")
def copied(remote: Remote) -> Iterator[Remote]:
    """A host with a target; without one again afterwards."""
    if remote.host.file(SETTINGS).exists:
        pytest.skip("this host has a target of its own")
    public = remote.out("recio backup off-host-key").splitlines()[0]
    keeper.install(remote, [public])
    wanted = keeper.settings(remote, "127.0.0.1")
    text = f"target: '{wanted['backup_off_host_target']}'\nhost_key: {wanted['backup_off_host_host_key']}\n"
    remote.out(f"cat >{SETTINGS} <<'END'\n{text}END")
    remote.out(f"systemctl start {UNITS}")
    yield remote
    # A copy under way loses its target with the rest: that it fails then is this test's doing.
    remote.out(
        f"systemctl stop {UNITS} {COPY}; if systemctl -q is-failed {COPY}; then systemctl reset-failed {COPY}; fi"
    )
    remote.out(f"rm -rf {SETTINGS} {STATUS} {keeper.FOLDER}; userdel --remove keeper")


def state(remote: Remote) -> dict[str, object]:
    """What the unit left; nothing while there is nothing."""
    loaded: dict[str, object] = json.loads(remote.out(f"cat {STATUS} 2>/dev/null || echo {{}}"))
    return loaded


def test_a_segment_is_there_seconds_after_it_was_archived(copied: Remote) -> None:
    wait_for("the first copy", lambda: state(copied).get("reached_s"), 60)
    (segment,) = copied.sql("SELECT pg_walfile_name(pg_switch_wal())")[0]
    began_s = time.monotonic()
    wait_for(f"{segment} on the other machine", lambda: str(state(copied)["segment"]) >= segment, 60)
    print(
        f"{segment} was there {time.monotonic() - began_s:.1f} s after it was ended; a push took {state(copied)['seconds']} s"
    )
    found = copied.out(f"find {keeper.FOLDER} -name '{segment}-*' -printf '%U %m %p\\n'")
    assert segment in found


def test_every_file_there_is_the_one_that_was_sent(copied: Remote) -> None:
    assert "each the same by its checksum" in copied.out("recio backup off-host --verify")
    listed = json.loads(copied.out("recio backup list --json"))
    assert listed["off_host"]["checked_s"] > 0
    assert listed["wrong"] == ""
    assert "copy on another machine" in copied.host.run("recio doctor").stdout


def test_the_unit_is_hardened_and_the_key_is_roots(copied: Remote) -> None:
    exposure = copied.out("systemd-analyze security --no-pager recio-off-host.service | tail -1")
    assert float(exposure.split(":")[1].split()[0]) <= 2.5
    assert copied.out("stat -c '%a %U' /etc/recio/keys/off_host_key").strip() == "600 root"
    assert copied.host.run("journalctl --no-pager -u recio-off-host | grep -c 'PRIVATE KEY'").stdout.strip() == "0"


def test_the_other_machine_lets_the_desk_only_append(copied: Remote) -> None:
    ssh = "ssh -F none -i /etc/recio/keys/off_host_key -o BatchMode=yes -o StrictHostKeyChecking=no keeper@127.0.0.1"
    before = copied.out(f"find {keeper.FOLDER} -type f | wc -l")
    for command in ("id", f"rm -rf {keeper.FOLDER}", "rsync --server --delete -re.L . ."):
        done = copied.host.run(f"{ssh} '{command}' </dev/null")
        assert done.rc != 0, command
        assert "uid=" not in done.stdout
    assert int(copied.out(f"find {keeper.FOLDER} -type f | wc -l")) >= int(before)


def test_a_target_that_cannot_be_reached_is_an_incident_and_its_return_ends_it(
    copied: Remote, contract: Contract
) -> None:
    """The last copy is set back to be as old as it would be after the time the contract allows."""

    def opened() -> bool:
        return copied.sql("SELECT 1 FROM system.incidents WHERE key = 'backup off host' AND closed_at IS NULL") == [
            ["1"]
        ]

    copied.out(f"mv {keeper.FOLDER} {keeper.FOLDER}.away; touch -d '2 hours ago' {SETTINGS}")
    try:
        copied.host.run("recio backup off-host")
        copied.out(f"systemctl stop {UNITS}")
        old = {**state(copied), "reached_s": time.time() - contract.backup.off_host.max_age_s - 30}
        copied.out(f"cat >{STATUS} <<'END'\n{json.dumps(old)}\nEND")
        wait_for("the incident", opened, 40)
        listed = json.loads(copied.host.run("recio backup list --json").stdout)
        assert "the other machine has nothing newer" in listed["wrong"]
        assert old["why"]
    finally:
        copied.out(f"mv {keeper.FOLDER}.away {keeper.FOLDER}; systemctl start {UNITS}; recio backup off-host")
    wait_for("its end", lambda: not opened(), 40)
