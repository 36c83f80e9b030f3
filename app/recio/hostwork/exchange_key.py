"""An exchange's key is set or removed: checked by a signed call before anything is replaced, put back when it does not serve.

    taken (the file from the page is gone) -> looked at -> checked by the exchange -> nothing open?
      -> put in its place, the old one beside it -> services that sign restart -> proven: the old one goes
                                                                              -> not proven: the old one comes back
A worker that died in between left the old one beside: the next one puts it back first (``mend``).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec

from recio.contract.settings import SUPPORTED, Settings, SettingsError, load_settings
from recio.exchange.kalshi.key_check import KEY_NAME, QUESTION_NAME, Answer, Question
from recio.hostwork.job import Job, WorkFailed, run_command
from recio.hostwork.secret import secret_file
from recio.hostwork.work import prove, restart
from recio.monitoring import exchange_keys as keys
from recio.monitoring.health import run_dir
from recio.store import mode_queries

__all__ = ["SIGNERS", "asked_by", "checked", "mend", "remove_exchange_key", "set_exchange_key", "settings_of"]

SIGNERS = (
    "kalshi_api_watchdog",
    "kalshi_account_sync",
    "trade_executor",
)  # who is given the key, roles/app/vars says the same
CHECK_UNIT = "recio-key_check.service"
_NOTHING = "nothing was changed"


def set_exchange_key(job: Job) -> str:
    """Check the key, replace the one there is, restart who signs; gives what may be told of it."""
    given = _given(secret_file(job.args.secret))
    mode, settings = job.args.mode, load_settings()
    if mode not in SUPPORTED:
        raise WorkFailed(f"this release does not trade in mode {mode}, so that no key of it is kept; {_NOTHING}")
    why = keys.pem_complaint(given.private_key)
    if why or not re.fullmatch(keys.KEY_ID, given.key_id):
        raise WorkFailed(f"{why or 'the key id is not one'}; {_NOTHING}")
    pem = given.private_key.strip().encode() + b"\n"
    wanted = settings_of(mode)
    job.say(f"asking the exchange of mode {mode} for the balance, signed with the key")
    answer = checked(Question(wanted.kalshi.rest_url, given.key_id), pem)
    if not answer.ok:
        raise WorkFailed(f"the key was not taken: {answer.said}; {_NOTHING}")
    record = keys.KeyRecord(given.key_id, answer.fingerprint, answer.kind, time.time(), asked_by(job))
    in_use = mode == settings.mode
    other = given.key_id != wanted.kalshi.key_id
    said = f"the key {keys.ending(given.key_id)} ({answer.kind}, {answer.fingerprint}) was taken by the exchange of mode {mode}"
    if not in_use:
        _put(mode, pem, record)
        _drop_before(mode)
        return f"{said} and is kept for that mode; this desk is in mode {settings.mode}"
    _refuse_while_open(job, settings, other)
    _swap(job, settings, other, pem, record)
    return f"{said}; every service that signs proved its function with it"


def remove_exchange_key(job: Job) -> str:
    """Delete a mode's key. That of the mode in use only when nothing is open; the desk can then only read."""
    mode, settings = job.args.mode, load_settings()
    if mode == "simulated":
        raise WorkFailed("the simulated exchange's key is this host's own and opens nothing else; it stays")
    if mode not in SUPPORTED or not (keys.key_folder(mode) / keys.KEY_FILE).exists():
        raise WorkFailed(f"there is no key for mode {mode}; {_NOTHING}")
    if mode != settings.mode:
        _put(mode, None, None)
        _drop_before(mode)
        return f"the key of mode {mode} is removed from this host; revoke it on the exchange's page too"
    _refuse_while_open(job, settings, True)
    run_command(["systemctl", "stop", "recio-trade_executor.service"], 60)
    try:
        _refuse_while_open(job, settings, True)  # again: now nothing can be sent any more
    except WorkFailed:
        restart("trade_executor")
        raise
    _put(mode, None, None)
    _drop_before(mode)
    for name in SIGNERS:
        restart(name)
    return (
        f"the key of mode {mode}, the one in use, is removed from this host: nothing can be signed, the desk only reads until"
        " it is given another; revoke it on the exchange's page too"
    )


def mend() -> list[str]:
    """Put back what a worker that died had not proven yet; gives the modes whose former key is in force again."""
    found = []
    for mode in SUPPORTED:
        _remove(_before(mode).with_name(f"{mode}.over"))
        if _before(mode).is_dir():
            _back(mode)
            found.append(mode)
            if mode == load_settings().mode:
                for name in SIGNERS:
                    with contextlib.suppress(WorkFailed):  # its health says what is wrong with it
                        restart(name)
    return found


# ------------------------------------------------------------------ looking
def _given(raw: bytes) -> keys.Given:
    try:
        return msgspec.json.decode(raw, type=keys.Given)
    except msgspec.DecodeError:
        raise WorkFailed(f"what the page laid down is not a key; {_NOTHING}") from None


def settings_of(mode: str) -> Settings:
    """The settings of a mode, in use or not. Raises WorkFailed."""
    place = keys.mode_settings(mode)
    try:
        found = load_settings(str(place))
    except SettingsError as wrong:
        raise WorkFailed(f"where the exchange of mode {mode} is, is not known: {wrong}; {_NOTHING}") from None
    if found.mode != mode:
        raise WorkFailed(f"{place} is of mode {found.mode}, not {mode}; deploy again; {_NOTHING}")
    return found


def asked_by(job: Job) -> str:
    """The login a request came from."""
    row = job.db.one("SELECT asked_by FROM system.requests WHERE request_id = %s", (job.request_id,))
    return str(row["asked_by"]) if row else "?"


def checked(question: Question, pem: bytes) -> Answer:
    """What the exchange says, asked in a unit of its own; the candidate is gone afterwards, whatever happens."""
    place = run_dir("key_check")
    _remove(place)
    place.mkdir(mode=0o700)
    try:
        candidate = place / "candidate"
        candidate.mkdir(mode=0o700)
        _write(candidate / KEY_NAME, pem, 0o600)
        _write(candidate / QUESTION_NAME, msgspec.json.encode(question), 0o600)
        try:
            run_check(place)
            return msgspec.json.decode((place / "answer").read_bytes(), type=Answer)
        except (WorkFailed, OSError, msgspec.DecodeError) as failure:
            raise WorkFailed(
                f"the key could not be checked ({failure}); see `journalctl -u {CHECK_UNIT}` on the host; {_NOTHING}"
            ) from None
    finally:
        _remove(place)


def run_check(place: Path) -> None:
    """Start the unit that asks; it reads ``place``/candidate and leaves ``place``/answer."""
    run_command(["systemctl", "start", CHECK_UNIT], 90)


def _refuse_while_open(job: Job, settings: Settings, other_account: bool) -> None:
    """Orders under way need the key they were sent with; trades that are open belong to the account of the old one."""
    trades = mode_queries.unfinished(job.db, settings.user_id, settings.mode) if other_account else []
    why = keys.in_the_way(trades, mode_queries.in_doubt(job.db, settings.user_id, settings.mode))
    if why:
        raise WorkFailed(f"not now: {why}; let them end or close them, then do it again; {_NOTHING}")


# ------------------------------------------------------------------ changing
def _swap(job: Job, settings: Settings, other: bool, pem: bytes, record: keys.KeyRecord) -> None:
    mode = settings.mode
    job.say("trade_executor stops, so that nothing is sent while the key is replaced")
    run_command(["systemctl", "stop", "recio-trade_executor.service"], 60)
    try:
        _refuse_while_open(job, settings, other)
    except WorkFailed:
        restart("trade_executor")
        raise
    _put(mode, pem, record)
    try:
        _restart_signers(job)
    except WorkFailed as failure:
        job.say("the services did not prove themselves with the new key; the former comes back")
        _back(mode)
        try:
            _restart_signers(job)
        except WorkFailed as worse:
            raise WorkFailed(
                f"the new key did not serve ({failure}); the former is in force again, but its services have not proven"
                f" themselves either ({worse}); see the System page"
            ) from None
        raise WorkFailed(f"the new key did not serve, so that the former is in force again: {failure}") from None
    _drop_before(mode)


def _restart_signers(job: Job) -> None:
    began_s = time.monotonic()
    for name in SIGNERS:
        job.say(f"restarting {name}")
        restart(name)
    for name in SIGNERS:
        job.say(f"waiting until {name} has proven its function")
        prove(job.contract, name, began_s)


def _before(mode: str) -> Path:
    return keys.key_folder(mode).with_name(f"{mode}.before")


def _put(mode: str, pem: bytes | None, record: keys.KeyRecord | None) -> None:
    """Replace key, list entry and id, the old ones set aside in one folder first; None removes."""
    folder, aside = keys.key_folder(mode), _before(mode)
    fresh = aside.with_name(f"{mode}.fresh")
    _remove(fresh)
    fresh.mkdir(mode=0o700, parents=True)
    old = folder / keys.KEY_FILE
    if old.exists():
        _write(fresh / keys.KEY_FILE, old.read_bytes(), 0o600)
    was = {"record": keys.records().get(mode), "key_id": settings_of(mode).kalshi.key_id}
    _write(fresh / "was.json", msgspec.json.encode(was), 0o600)
    fresh.replace(aside)
    _install(mode, pem, record, record.key_id if record else "")


def _back(mode: str) -> None:
    """What ``_put`` had set aside, in its place again."""
    aside = _before(mode)
    was = msgspec.json.decode((aside / "was.json").read_bytes(), type=dict[str, Any])
    record = None if was["record"] is None else msgspec.convert(was["record"], keys.KeyRecord)
    pem = (aside / keys.KEY_FILE).read_bytes() if (aside / keys.KEY_FILE).exists() else None
    _install(mode, pem, record, str(was["key_id"]))
    _drop_before(mode)


def _drop_before(mode: str) -> None:
    """The set-aside key goes: under another name first, in one step. A removal cut short half way must not look like a
    change that was never proven, or ``mend`` would put a key back of which only a part is left."""
    over = _before(mode).with_name(f"{mode}.over")
    _remove(over)
    if _before(mode).exists():
        _before(mode).rename(over)
    _remove(over)


def _remove(place: Path) -> None:
    """A folder with key material and all in it; that it was not there is fine, that it stays is not. Raises OSError."""
    if place.exists():
        shutil.rmtree(place)


def _install(mode: str, pem: bytes | None, record: keys.KeyRecord | None, key_id: str) -> None:
    folder = keys.key_folder(mode)
    folder.mkdir(mode=0o700, exist_ok=True)
    place = folder / keys.KEY_FILE
    if pem is None:
        place.unlink(missing_ok=True)
    else:  # written beside the folder: systemd hands on whatever lies in it
        fresh = folder.with_name(f"{mode}.new_key")
        _write(fresh, pem, 0o600)
        fresh.replace(place)
    found = keys.records()
    found.pop(mode, None)
    keys.write_records(found | ({mode: record} if record else {}))
    places = {keys.mode_settings(mode).resolve()}
    if load_settings().mode == mode:  # the same file, where the link of the mode in force leads to it
        places.add(keys.settings_path().resolve())
    for settings in places:
        _set_key_id(settings, key_id)


def _set_key_id(place: Path, key_id: str) -> None:
    """The one place of the settings that names the key, as the deploy's template writes it."""
    text, count = re.subn(r'"key_id": "[^"\n]*"', f'"key_id": "{key_id}"', place.read_text())
    if count != 1:
        raise WorkFailed(f"{place} has {count} places for the key's id, expected one; deploy again")
    fresh = place.with_name(f".{place.name}.new")
    _write(fresh, text.encode(), 0o644)
    fresh.replace(place)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
