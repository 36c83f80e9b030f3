"""What may be asked of root is a closed list, and nothing gets past its types."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.hostwork.job import WorkFailed
from recio.hostwork.registry import HANDLERS
from recio.hostwork.secret import secret_file
from recio.monitoring.bundles import bundle_path
from recio.monitoring.requests import KINDS, NEEDS_PASSWORD, BadRequest, parse


def test_every_kind_has_its_work_and_a_password_is_asked_only_for_kinds_that_exist() -> None:
    assert HANDLERS.keys() == KINDS.keys()
    assert KINDS.keys() >= NEEDS_PASSWORD


@pytest.mark.parametrize(
    ("kind", "args", "said"),
    [
        ("shell", {}, "there is no request 'shell'"),
        ("restart_service", {}, "service"),
        ("restart_service", {"service": "main_app; reboot"}, "service"),
        ("restart_service", {"service": "main_app\n"}, "line break"),
        ("restart_service", {"service": "../x"}, "service"),
        ("restart_service", {"service": ["main_app"]}, "service"),
        ("restart_service", {"service": "main_app", "more": "1"}, "more"),
        ("backup_now", {"which": "database"}, "which"),
        ("rollback", {"release": "../../etc"}, "release"),
        ("rollback", {"release": "-rf"}, "release"),
    ],
)
def test_what_is_not_of_its_type_is_refused_by_name(kind: str, args: dict[str, object], said: str) -> None:
    with pytest.raises(BadRequest, match=said.replace("'", ".")):
        parse(kind, args)


@given(st.text(max_size=80))
def test_whatever_passes_as_a_service_or_a_release_is_one_plain_word(text: str) -> None:
    for kind, field in (("restart_service", "service"), ("rollback", "release")):
        try:
            found = getattr(parse(kind, {field: text}), field)
        except BadRequest:
            continue
        assert found == text
        assert not found.startswith(("-", "."))
        assert not set(found) & set("/ ;&|$`'\"\\\n\r\t\0<>*?(){}[]~!#")


@given(st.text(max_size=80))
def test_only_an_archives_own_name_finds_one(name: str) -> None:
    assert bundle_path(name) is None


def test_a_secret_is_taken_once_and_only_from_a_plain_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECIO_RUN_DIR", str(tmp_path))
    folder = tmp_path / "main_app"
    folder.mkdir()
    good = folder / "key.secret"
    good.write_bytes(b"pem")
    good.chmod(0o600)
    assert secret_file("key.secret") == b"pem"
    assert not good.exists()
    with pytest.raises(WorkFailed, match="not there"):
        secret_file("key.secret")

    shadow = tmp_path / "shadow"
    shadow.write_text("root")
    (folder / "link.secret").symlink_to(shadow)
    with pytest.raises(WorkFailed):
        secret_file("link.secret")
    os.link(shadow, folder / "hard.secret")
    with pytest.raises(WorkFailed, match="plain file"):
        secret_file("hard.secret")
    open_to_all = folder / "open.secret"
    open_to_all.write_text("x")
    open_to_all.chmod(0o644)
    with pytest.raises(WorkFailed, match="0600"):
        secret_file("open.secret")
    assert shadow.read_text() == "root"
    for name in ("../shadow", "shadow", "/etc/shadow", "a.secret/../x", "A.secret"):
        with pytest.raises(WorkFailed, match="name"):
            secret_file(name)
