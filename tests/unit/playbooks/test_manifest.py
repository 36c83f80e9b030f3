"""The module that writes files: only what differs, atomically, with a diff, and commands that survive an interruption."""

from __future__ import annotations

import fcntl
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

_path = Path(__file__).parents[3] / "plugins" / "modules" / "manifest.py"
_spec = importlib.util.spec_from_file_location("recio_manifest", _path)
assert _spec is not None and _spec.loader is not None
manifest: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(manifest)

Run = Callable[..., dict[str, Any]]
ME = {"owner": "root", "group": "root"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files are given to root, which only root can do")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(manifest, "PENDING", str(tmp_path / "pending"))
    monkeypatch.setattr(manifest, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(sys, "argv", ["manifest"])

    def call(files: list[dict[str, Any]], commands: list[dict[str, Any]] | None = None, check: bool = False) -> Any:
        arguments = {"name": "test", "files": files, "commands": commands or [], "_ansible_check_mode": check}
        out = io.StringIO()
        with patch_module_args(arguments), redirect_stdout(out), pytest.raises(SystemExit):
            manifest.main()
        return json.loads(out.getvalue())

    return call


def test_writes_once_and_then_nothing(run: Run, tmp_path: Path) -> None:
    files = [{"path": str(tmp_path / "a" / "b.conf"), "content": "x\n", "mode": "0640"}]
    first = run(files)
    assert first["changed"] and first["diff"][0]["after"] == "x\n"
    assert (tmp_path / "a/b.conf").read_text() == "x\n"
    assert (tmp_path / "a/b.conf").stat().st_mode & 0o777 == 0o640
    second = run(files)
    assert not second["changed"] and second["diff"] == []
    assert first["fingerprint"] == second["fingerprint"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b.conf"]


def test_a_changed_mode_alone_is_a_change(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "f")
    run([{"path": path, "content": "x", "mode": "0600"}])
    assert run([{"path": path, "content": "x", "mode": "0644"}])["changed_paths"] == [path]


def test_check_mode_shows_and_touches_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new" / "f"
    commands = [{"argv": ["touch", str(tmp_path / "ran")], "watch": [str(tmp_path)]}]
    wanted = [{"path": str(path), "content": "x\n", "owner": "nobody-yet", "group": "nobody-yet"}]
    shown = run(wanted, commands, check=True)
    assert shown["changed"] and shown["ran"] and shown["diff"][0]["after"] == "x\n"
    assert not path.parent.exists() and not (tmp_path / "ran").exists()


def test_no_content_removes(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    assert run([{"path": str(path)}])["changed"] and not path.exists()
    assert not run([{"path": str(path)}])["changed"]


def test_a_secret_stays_out_of_the_diff(run: Run, tmp_path: Path) -> None:
    said = run([{"path": str(tmp_path / "key"), "content": "s3cret", "mode": "0600", "secret": True}])
    assert "s3cret" not in json.dumps({key: value for key, value in said.items() if key != "invocation"})


def test_a_refused_file_leaves_the_old_one(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("good\n")
    said = run([{"path": str(path), "content": "bad\n", "validate": "grep -q good %s"}])
    assert said["failed"] and "refused by `grep -q good %s`" in said["msg"]
    assert path.read_text() == "good\n" and list(tmp_path.glob(".f.*")) == []


def test_commands_run_for_what_they_watch(run: Run, tmp_path: Path) -> None:
    wanted = [{"path": str(tmp_path / "etc/a"), "content": "1"}]
    commands = [
        {"argv": ["touch", str(tmp_path / "for_a")], "watch": [str(tmp_path / "etc")]},
        {"argv": ["touch", str(tmp_path / "for_b")], "watch": [str(tmp_path / "other")]},
    ]
    assert run(wanted, commands)["ran"] == [commands[0]["argv"]]
    assert (tmp_path / "for_a").exists() and not (tmp_path / "for_b").exists()
    assert run(wanted, commands)["ran"] == []


def test_a_command_that_failed_is_due_again(run: Run, tmp_path: Path) -> None:
    wanted = [{"path": str(tmp_path / "etc/a"), "content": "1"}]
    gate = tmp_path / "gate"
    commands = [
        {"argv": ["test", "-e", str(gate)], "watch": [str(tmp_path / "etc")]},
        {"argv": ["touch", str(tmp_path / "after")], "watch": [str(tmp_path / "etc")]},
    ]
    assert "will be tried again by the next run" in run(wanted, commands)["msg"]
    assert not (tmp_path / "after").exists()
    gate.touch()
    again = run(wanted, commands)
    assert again["changed"] and again["changed_paths"] == [] and len(again["ran"]) == 2
    assert (tmp_path / "after").exists()
    assert not run(wanted, commands)["changed"]


def test_an_unknown_owner_names_the_cure(run: Run, tmp_path: Path) -> None:
    said = run([{"path": str(tmp_path / "f"), "content": "x", "owner": "nobody-yet"}])
    assert "no user nobody-yet" in said["msg"] and "provision" in said["msg"]


def test_a_link_is_put_and_moved_in_one_step_and_gives_way_to_a_file(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "settings.yml"
    place.write_text("of an earlier release")
    (tmp_path / "a").mkdir()
    link = {"path": str(place), "link": "a/settings.yml"}
    assert run([link], check=True)["changed"]
    assert not place.is_symlink(), "check mode touches nothing"
    assert run([link])["changed_paths"] == [str(place)]
    assert str(place.readlink()) == "a/settings.yml", "dangling is allowed: what it leads to may come later"
    assert not run([link])["changed"]
    assert run([link | {"link": "b/settings.yml"}])["diff"][0]["before"] == "-> a/settings.yml\n"
    assert run([{"path": str(place), "content": "now a file\n"}])["changed"]
    assert not place.is_symlink() and place.read_text() == "now a file\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_power_cut_left_half_written_is_removed_even_where_nothing_is_to_change(
    run: Run, tmp_path: Path
) -> None:
    path, half = tmp_path / "a", tmp_path / ".a.recio-new"
    run([{"path": str(path), "content": "1\n", **ME}])
    half.write_text("hal")
    assert run([{"path": str(path), "content": "1\n", **ME}], check=True)["changed"] is False
    assert half.exists(), "check mode touches nothing"
    assert run([{"path": str(path), "content": "1\n", **ME}])["changed"] is False
    assert not half.exists()
    half.write_text("hal")
    assert run([{"path": str(path), "content": "2\n", **ME}])["changed"] is True
    assert (path.read_text(), half.exists()) == ("2\n", False)


def test_what_a_killed_controller_began_is_waited_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [{"path": str(tmp_path / "a"), "content": "1\n", **ME}]
    monkeypatch.setattr(manifest, "LOCK_WAIT_S", 0)
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = run(files)
    assert "another deploy holds" in refused["msg"]
    assert not (tmp_path / "a").exists(), "refused before anything is changed"
    assert run(files)["changed"] is True


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """A run that keeps what was there; the timer itself is systemd's, and tried on a host."""
    monkeypatch.setattr(manifest, "UNDO", str(tmp_path / "undo"))
    armed: list[str] = []
    monkeypatch.setattr(manifest.Guard, "arm", lambda guard: armed.append(guard.unit))

    def call(files: list[dict[str, Any]], **more: Any) -> Any:
        armed.clear()
        out = io.StringIO()
        arguments = {"name": "test", "files": files, "guard_s": 60, **more}
        with patch_module_args(arguments), redirect_stdout(out), pytest.raises(SystemExit):
            manifest.main()
        return json.loads(out.getvalue()) | {"armed": list(armed)}

    return call


def test_what_is_guarded_comes_back_with_its_mode(guarded: Run, tmp_path: Path) -> None:
    old, fresh, done = tmp_path / "old", tmp_path / "fresh", tmp_path / "done"
    old.write_text("before\n")
    old.chmod(0o640)
    files = [{"path": str(old), "content": "after\n"}, {"path": str(fresh), "content": "new\n"}]
    told = guarded(files, undo=[["touch", str(done)]])
    assert told["guard"] == "recio-undo-test.timer" and told["armed"] == ["recio-undo-test"]
    assert old.read_text() == "after\n" and fresh.exists()
    subprocess.run(["/bin/sh", str(tmp_path / "undo/test/undo.sh")], check=True)
    assert old.read_text() == "before\n" and old.stat().st_mode & 0o777 == 0o640
    assert not fresh.exists() and done.exists() and not (tmp_path / "undo/test").exists()
    assert guarded(files)["armed"], "it is written anew, and guarded anew"


def test_a_run_after_an_interrupted_one_keeps_the_older_truth(guarded: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("good\n")
    guarded([{"path": str(path), "content": "bad\n"}])
    again = guarded([{"path": str(path), "content": "worse\n"}])
    assert again["armed"]
    assert guarded([{"path": str(path), "content": "worse\n"}])["armed"], "nobody has answered yet"
    subprocess.run(["/bin/sh", str(tmp_path / "undo/test/undo.sh")], check=True)
    assert path.read_text() == "good\n"


def test_nothing_changed_is_nothing_to_guard(guarded: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    told = guarded([{"path": str(path), "content": "x"}])
    assert not told["changed"] and told["guard"] == "" and not told["armed"]
