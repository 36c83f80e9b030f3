"""The kinds that are one command: restart a service, back up now, test a restore."""

from __future__ import annotations

import time

import msgspec

from recio.contract import Contract
from recio.hostwork.job import Job, WorkFailed, run_command
from recio.monitoring.health import read_report
from recio.monitoring.status import judge, units

__all__ = ["backup_now", "prove", "restart", "restart_service", "restore_test"]

_PROOF_S = 60.0
RECIO = "/usr/local/bin/recio"


def restart_service(job: Job) -> str:
    """Restart one of the contract's services and wait until the new process has proven its function."""
    name = job.args.service
    if name not in job.contract.services:
        raise WorkFailed(f"there is no service {name!r} in the contract; nothing was restarted")
    job.say(f"restarting {name}")
    began_s = time.monotonic()
    restart(name)
    job.say(f"{name} runs; waiting until it has proven its function")
    prove(job.contract, name, began_s)
    return f"{name} restarted and proved its function after {time.monotonic() - began_s:.1f} s"


def restart(name: str) -> None:
    """Restart one of the contract's services. Raises WorkFailed."""
    run_command(["systemctl", "restart", f"recio-{name}.service"], 60)


def prove(contract: Contract, name: str, began_s: float) -> None:
    """Wait until a restarted service has proven its function; WorkFailed 60 s after ``began_s`` (monotonic) with its reason."""
    reason = ""
    while True:
        found = judge(name, contract.services[name].tier, units([name]).get(name), read_report(name), time.time())
        if found.healthy:
            return
        reason = found.reason
        if time.monotonic() - began_s >= _PROOF_S:
            break
        time.sleep(0.5)
    raise WorkFailed(
        f"{name} was restarted but has not proven its function within {_PROOF_S:.0f} s: {reason}; see its log"
    )


def backup_now(job: Job) -> str:
    """Every backup: dump, data and configuration, each read back before it counts, and a base of the archive."""
    job.say("backing up database, files and configuration, each read back before it counts, and a base of the archive")
    made = msgspec.json.decode(run_command([RECIO, "backup", "now", "all", "--json"], 1800))["made"]
    return "made and verified: " + ", ".join(f"{entry['name']} ({entry['size'] / 1048576:.1f} MB)" for entry in made)


def restore_test(job: Job) -> str:
    """The newest backup into a throw-away cluster, its ledger compared."""
    job.say("restoring the newest database backup into a throw-away cluster and comparing its ledger")
    return run_command([RECIO, "backup", "restore-test"], 1800).strip()
