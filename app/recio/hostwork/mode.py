"""The desk goes to another mode: everything stops, one link is moved, everything starts and proves itself, or all of it goes back.

    may it? -> the exchange takes the key? -> the way back is written down -> entries and everything else stop -> nothing opened
    meanwhile? -> the link -> start -> every service proven: the choice is written down, the way back is forgotten
                                    -> anything else: the link back, start, proven again; the result says why
A worker that died in between, or a host that lost its power, left the way back written down: the next one goes it (``mend``),
and systemd starts that one by itself, because the note lies there.
"""

from __future__ import annotations

import contextlib
import time

from recio.contract import Contract
from recio.contract.settings import Settings
from recio.exchange.kalshi.key_check import Question
from recio.hostwork import exchange_key
from recio.hostwork.job import Job, WorkFailed, run_command
from recio.hostwork.work import RECIO
from recio.monitoring import exchange_keys as keys
from recio.monitoring import modes
from recio.store import mode_queries, requests
from recio.store.db import Database
from recio.trading import mode_switch
from recio.trading.mode_switch import Facts, Missing

__all__ = ["facts", "mend", "switch_mode"]

PROVE_S = 120
_SIMULATOR = "recio-simulator.service"
_FIRST = ("auto_entry_supervisor", "trade_executor")  # who enters, who sends: nothing new while the rest stops
_NOTHING = "nothing was changed"


def switch_mode(job: Job) -> str:
    """Go to the mode that is asked for and prove every service in it; back, and proven there, when anything fails."""
    wanted, left = job.args.mode, modes.in_force()
    if not left:
        raise WorkFailed(
            f"this host has no {keys.settings_path().parent}/mode; run the deploy (site.yml) once more; {_NOTHING}"
        )
    settings = exchange_key.settings_of(left)
    _refuse(mode_switch.missing(wanted, facts(job.db, settings, left, wanted)))
    if wanted != "simulated":  # the simulated exchange runs in its own mode only: nobody is there to be asked
        _exchange_takes_the_key(job, wanted)
    by = exchange_key.asked_by(job)
    modes.write_switch(modes.Switch(left, wanted, job.request_id, by, time.time(), modes.choice()))
    try:
        _go(job, settings, left, wanted)
    except Exception as failure:  # whatever it is: never half way
        why = " ".join(str(failure).split()) or type(failure).__name__
        job.say(f"mode {wanted} did not come about ({why[:200]}); going back to {left}")
        worse = _back(job.contract, left)
        if worse:
            raise WorkFailed(
                f"mode {wanted} did not come about ({why}); mode {left} is in force again, but has not proven itself either"
                f" ({worse}); see the System page"
            ) from None
        raise WorkFailed(
            f"mode {wanted} did not come about, so that mode {left} is in force again and every service has proven itself in it: {why}"
        ) from None
    modes.keep_choice(modes.Choice(wanted, by, time.time()))
    modes.note_deployed(left, wanted)
    modes.end_switch()
    return f"this desk is in mode {wanted}, no longer in {left}; every service proved its function in it"


def facts(db: Database, settings: Settings, present: str, wanted: str) -> Facts:
    """What root knows of a switch."""
    return Facts(
        present=present,
        installed=modes.installed(),
        has_key=(keys.key_folder(wanted) / keys.KEY_FILE).is_file(),
        trades=mode_queries.unfinished(db, settings.user_id, present),
        orders=mode_queries.in_doubt(db, settings.user_id, present),
        at_work="a deploy" if modes.deploy_under_way() else "",
    )


def mend(db: Database, contract: Contract) -> str:
    """Go back from a switch whose worker died, and say so in its request; what was done, or nothing."""
    try:
        found = modes.switch_under_way()
    except ValueError as wrong:  # written whole or not at all, so this is not ours to guess at
        modes.end_switch()
        return f"{wrong}; mode {modes.in_force()} stays in force"
    if found is None:
        return ""
    worse = _back(contract, found.left, found.before, restore_choice=True)
    said = f"the switch to mode {found.wanted} broke off; mode {found.left} is in force again" + (
        f", but has not proven itself ({worse}); see the System page" if worse else " and has proven itself"
    )
    row = requests.request(db, found.request_id)
    if row is not None and row["state"] == "running":
        requests.finish(db, row, False, said)
    return said


# ------------------------------------------------------------------ looking
def _refuse(found: tuple[Missing, ...]) -> None:
    if found:
        raise WorkFailed(f"not switched: {mode_switch.said(found)}; {found[0].cure}; {_NOTHING}")


def _exchange_takes_the_key(job: Job, wanted: str) -> None:
    settings = exchange_key.settings_of(wanted)
    job.say(f"asking the exchange of mode {wanted} for the balance, signed with its key")
    pem = (keys.key_folder(wanted) / keys.KEY_FILE).read_bytes()
    answer = exchange_key.checked(Question(settings.kalshi.rest_url, settings.kalshi.key_id), pem)
    if not answer.ok:
        raise WorkFailed(f"not switched: the key of mode {wanted} was not taken: {answer.said}; {_NOTHING}")


# ------------------------------------------------------------------ changing
def _go(job: Job, settings: Settings, left: str, wanted: str) -> None:
    job.say("entries stop, then everything else, in order")
    _stop(job.contract)
    found = facts(job.db, settings, left, wanted)  # again: now nothing can open any more
    _refuse(mode_switch.missing(wanted, found))
    job.say(f"everything starts in mode {wanted}")
    modes.point(wanted)
    _start(job.contract, wanted)
    job.say(f"mode {wanted} runs; every service must prove its function within {PROVE_S} s")
    _prove(wanted)


def _back(contract: Contract, left: str, before: modes.Choice | None = None, *, restore_choice: bool = False) -> str:
    """To the mode there was, whatever of the way to the other was done; why it is not proven, or nothing."""
    worse = ""
    with contextlib.suppress(WorkFailed):  # what does not stop in time systemd kills; the start below says the rest
        _stop(contract)
    wanted = next((mode for mode in modes.installed() if mode != left), left)
    modes.point(left)
    modes.note_deployed(wanted, left)
    if restore_choice:
        modes.keep_choice(before)
    try:
        _start(contract, left)
        _prove(left)
    except WorkFailed as failure:
        worse = str(failure)
    modes.end_switch()
    return worse


def _units(contract: Contract) -> list[str]:
    return [f"recio-{name}.service" for name in contract.services]


def _stop(contract: Contract) -> None:
    run_command(["systemctl", "stop", *(f"recio-{name}.service" for name in _FIRST)], 60)
    run_command(["systemctl", "stop", *_units(contract), _SIMULATOR], 120)


def _start(contract: Contract, mode: str) -> None:
    """systemd reads what the link changed, then starts in the contract's order; the simulated exchange only in its own mode."""
    run_command(["systemctl", "daemon-reload"], 60)
    first = [_SIMULATOR] if mode == "simulated" else []
    run_command(["systemctl", "start", *first, *_units(contract)], 180)


def _prove(mode: str) -> None:
    """Every service's own proof, held for some seconds; and the exchange of this machine runs in its own mode alone."""
    run_command([RECIO, "verify", "--timeout-s", str(PROVE_S)], PROVE_S + 60)
    runs = (
        run_command(["systemctl", "show", "--value", "--property", "ActiveState", _SIMULATOR], 20).strip() == "active"
    )
    if runs != (mode == "simulated"):
        raise WorkFailed(f"the simulated exchange {'runs' if runs else 'does not run'} in mode {mode}")
