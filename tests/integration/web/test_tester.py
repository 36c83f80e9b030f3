"""How tests, pictures and benchmarks sign in to a deployed host: the deploy's password once, then their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from webdesk import PASSWORD, ROOT, Desk

sys.path.insert(0, str(ROOT / "scripts"))
import tester


def test_the_deploys_password_is_changed_once_and_the_new_one_kept(desk: Desk, tmp_path: Path) -> None:
    desk.db.run("UPDATE users.users SET must_change = true")
    made = tmp_path / "admin_password"
    made.write_text(f"{PASSWORD}\n")
    facts = {
        "url": f"http://127.0.0.1:{desk.port}",
        "ca_file": "",
        "admin_user": "admin",
        "admin_password_file": str(made),
    }
    chosen = tester.tester_password(facts)
    kept = tmp_path / "tester_password"
    assert chosen != PASSWORD and kept.read_text().strip() == chosen and kept.stat().st_mode & 0o777 == 0o600
    assert tester.tester_password(facts) == chosen and desk.client().log_in(chosen).status == 200
    assert made.read_text().strip() == PASSWORD, "the deploy's own file stays as it is"
    kept.unlink()
    with pytest.raises(RuntimeError, match="no known password opens"):
        tester.tester_password(facts)
