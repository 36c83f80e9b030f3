"""What uninstall takes back that only a kernel of its own holds: fstab and the mount, quotas, the audit's rules. A machine's last test.

That files, accounts, packages and units are as before is test_uninstall's, on a container: here the packages are in the machine's root.
"""

from __future__ import annotations

import pytest
from fixtures import play
from remote import Remote

FIRST_COPY = "ls -tr /etc/fstab.*~ | head -n 1"
LIMITS = "repquota --project --no-names --raw-grace / | awk '/^#/ && $5 > 0'"


@pytest.mark.timeout(900)
def test_the_kernel_keeps_nothing_of_ours(facts: dict[str, str], remote: Remote) -> None:
    before = remote.out(f"cat $({FIRST_COPY})")
    assert "noatime" not in before and "noatime" in remote.out("cat /etc/fstab")
    assert "noatime" in remote.out("findmnt --noheadings --output OPTIONS /").split(",")
    assert len(remote.out(LIMITS).splitlines()) == 5 and "recio" in remote.out("auditctl -l")

    play(facts, "playbooks/uninstall.yml", "-e", f"uninstall_confirm={facts['host']}")

    assert remote.out("cat /etc/fstab") == before and not remote.host.run(FIRST_COPY).stdout
    assert "relatime" in remote.out("findmnt --noheadings --output OPTIONS /").strip().split(",")
    assert remote.out(LIMITS) == "" and remote.out("auditctl -l").strip() == "No rules"
    assert remote.out("systemctl list-units --all --plain --no-legend 'recio*'").strip() == ""
    assert remote.out("getent passwd | grep -c recio_ || true").strip() == "0"
    # PostgreSQL was there before this product, in this machine's root: it stays and answers, without our database.
    assert ["rec_io_db"] not in remote.sql("SELECT datname FROM pg_database", database="postgres")
