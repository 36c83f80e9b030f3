"""What uninstall takes back that only a kernel of its own holds: fstab and the mount, quotas, the audit's rules. A machine's last test.

That files, accounts, packages and units are as before is test_uninstall's, on a container: here the packages are in the machine's root.
"""

from __future__ import annotations

import pytest
from fixtures import play
from remote import Remote

FIRST_COPY = "ls -tr /etc/fstab.*~ | head -n 1"
LIMITS = "repquota --project --no-names --raw-grace / | awk '/^#/ && $5 > 0'"

UNITS = "systemctl list-units --all --plain --no-legend 'recio*'"
ACCOUNTS = "cut -d: -f1 /etc/passwd"
DATABASES = "SELECT datname FROM pg_database"


@pytest.mark.timeout(900)
def test_the_kernel_keeps_nothing_of_ours(facts: dict[str, str], remote: Remote) -> None:
    before = remote.out(f"cat $({FIRST_COPY})")
    assert "noatime" not in before and "noatime" in remote.out("cat /etc/fstab")
    assert "noatime" in remote.out("findmnt --noheadings --output OPTIONS /").split(",")
    assert remote.out(LIMITS) and "recio" in remote.out("auditctl -l")
    assert remote.out(UNITS) and ["rec_io_db"] in remote.sql(DATABASES, database="postgres")
    ours = set(remote.out("awk '$1 == \"u\" {print $2}' /etc/sysusers.d/recio.conf").split())
    assert ours and ours <= set(remote.out(ACCOUNTS).split())

    play(facts, "playbooks/uninstall.yml", "-e", f"uninstall_confirm={facts['host']}")

    assert remote.out("cat /etc/fstab") == before and not remote.host.run(FIRST_COPY).stdout
    assert "relatime" in remote.out("findmnt --noheadings --output OPTIONS /").strip().split(",")
    assert remote.out(LIMITS) == "" and remote.out("auditctl -l").strip() == "No rules"
    assert remote.out(UNITS).strip() == ""
    assert not ours & set(remote.out(ACCOUNTS).split())
    # PostgreSQL was there before this product, in this machine's root: it stays and answers, without our database.
    assert ["rec_io_db"] not in remote.sql(DATABASES, database="postgres")
