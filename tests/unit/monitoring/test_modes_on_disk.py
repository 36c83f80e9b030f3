"""The mode as it lies on a host: one link, changed by one rename; what was chosen; a switch that is under way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from recio.contract.settings import load_settings
from recio.monitoring import modes


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECIO_SETTINGS", str(tmp_path / "settings.yml"))
    monkeypatch.setenv("RECIO_DEPLOY_DIR", str(tmp_path / "deploy"))
    (tmp_path / "deploy").mkdir()
    for mode, host in (("simulated", "127.0.0.1"), ("demo", "x.demo.kalshi.co")):
        (tmp_path / "modes" / mode).mkdir(parents=True)
        (tmp_path / "modes" / mode / "settings.yml").write_text(
            f"mode: {mode}\nkalshi: {{rest_url: 'https://{host}/x', ws_url: 'wss://{host}/x'}}\n"
            "coinbase: {ws_url: 'ws://x', rest_url: 'http://x'}\nseries: [KXBTCD]\nurl: https://desk\n"
        )
    (tmp_path / "settings.yml").symlink_to("mode/settings.yml")
    return tmp_path


def test_the_link_alone_decides(etc: Path) -> None:
    assert (modes.in_force(), modes.installed()) == ("", ("simulated", "demo"))
    for mode in ("simulated", "demo", "simulated"):
        modes.point(mode)
        assert (modes.in_force(), load_settings().mode) == (mode, mode)
    assert (etc / "settings.yml").is_symlink()
    assert sorted(path.name for path in etc.iterdir()) == ["deploy", "mode", "modes", "settings.yml"]


def test_what_a_killed_rename_left_is_no_obstacle(etc: Path) -> None:
    (etc / "mode.new").symlink_to("modes/nowhere")
    modes.point("demo")
    assert modes.in_force() == "demo"


def test_a_choice_is_kept_and_taken_away(etc: Path) -> None:
    assert modes.choice() is None
    found = modes.Choice("demo", "admin", 1.5)
    modes.keep_choice(found)
    assert modes.choice() == found
    assert (etc / "mode_choice.json").stat().st_mode & 0o777 == 0o644, "the deploy and the page read it"
    modes.keep_choice(None)
    modes.keep_choice(None)
    assert modes.choice() is None


def test_a_switch_under_way_is_found_and_a_broken_note_is_not_taken_for_none(etc: Path) -> None:
    assert modes.switch_under_way() is None
    found = modes.Switch("simulated", "demo", 7, "admin", 1.5, modes.Choice("simulated", "admin", 1.0))
    modes.write_switch(found)
    assert modes.switch_under_way() == found
    modes.switch_path().write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        modes.switch_under_way()
    modes.end_switch()
    assert modes.switch_under_way() is None


def test_a_deploy_that_died_long_ago_is_not_waited_for(etc: Path) -> None:
    assert not modes.deploy_under_way()
    note = etc / "deploy/under_way"
    note.touch()
    assert modes.deploy_under_way()
    os.utime(note, (time.time() - 1900, time.time() - 1900))
    assert not modes.deploy_under_way()


def test_the_deploys_note_follows(etc: Path) -> None:
    modes.note_deployed("simulated", "demo")
    note = etc / "deploy/deployed"
    assert not note.exists()
    note.write_text("0.1.0 abc def mode=simulated\n")
    modes.note_deployed("simulated", "demo")
    assert note.read_text() == "0.1.0 abc def mode=demo\n"
    note.write_text("0.0.9 rolled-back-from 0.1.0\n")
    modes.note_deployed("demo", "simulated")
    assert note.read_text() == "0.0.9 rolled-back-from 0.1.0\n"
