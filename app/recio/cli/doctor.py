"""doctor: what a support engineer would ask, each with the cure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import typer

from recio.cli import doctor_host as machine
from recio.cli.doctor_host import Finding
from recio.contract import Contract, load, unknown_figures
from recio.contract.settings import Settings, load_settings
from recio.monitoring.backup import complaint, read_status
from recio.monitoring.exchange_keys import KEY_FILE, key_folder
from recio.monitoring.off_host import behind_s, configured_since_s, off_host_complaint, read_off_host
from recio.monitoring.status import collect
from recio.services.kill_switch import kill_reason
from recio.services.reconciliation import unproven
from recio.store.db import Database
from recio.store.market_data import exchange_state
from recio.store.notify_queries import targets
from recio.store.proof import trades_with_log
from recio.store.schema import require_schema
from recio.trading.events import is_provable
from recio.trading.settings import RiskLimits

__all__ = ["doctor", "sign_of_life", "silence"]

_ALIVE_MAX_S = 300.0  # one goes out every minute; the other end waits some minutes before it calls somebody


def _database(_contract: Contract, _settings: Settings) -> Finding:
    try:
        db = Database("recio doctor")
        revision = require_schema(db)
    except Exception as failure:  # whatever it is, it is the finding
        return False, f"database: {' '.join(str(failure).split())}", "systemctl status 'postgresql@*'; recio db migrate"
    return True, f"database answers, schema {revision}", ""


def _services(contract: Contract, settings: Settings) -> Finding:
    bad = [f"{s.name} ({s.reason})" for s in collect(contract, settings.mode).services if not s.healthy]
    return not bad, f"services: {'; '.join(bad) or 'all proven'}", "recio logs SERVICE; recio restart SERVICE"


def _exchange(_contract: Contract, settings: Settings) -> Finding:
    try:
        state = exchange_state(Database("recio doctor"), settings.mode)
    except Exception as failure:
        return False, f"exchange: not known ({' '.join(str(failure).split())})", "see the database's line"
    if state is None or state["age_s"] > 30:
        return False, "exchange: no fresh answer", "recio logs kalshi_api_watchdog; systemctl status recio-simulator"
    skew = state["clock_skew_s"]
    if skew is not None and abs(skew) > RiskLimits().max_clock_skew_s:
        return False, f"clock differs from the exchange's by {skew:.1f} s", "timedatectl; systemctl status chrony"
    return True, f"exchange answers signed calls in {state['latency_ms'] or 0:.0f} ms", ""


def _ledger(_contract: Contract, settings: Settings) -> Finding:
    try:
        trades = trades_with_log(Database("recio doctor"), settings.mode)
    except Exception as failure:
        return False, f"ledger: not known ({' '.join(str(failure).split())})", "see the database's line"
    wrong = unproven(trades)
    told = "; ".join(f"trade {m.trade_id} {m.column}: row {m.row}, log {m.log}" for m in wrong[:5])
    proven = sum(is_provable(trade["events"]) for trade in trades)
    cure = "something else than trade_manager changed users.trades: recio trade show ID, then restore a backup"
    return not wrong, f"ledger: {told or f'{proven} trades are what their logs say'}", cure


def _figures(_contract: Contract, _settings: Settings) -> Finding:
    unknown = unknown_figures()
    told = (
        f"contract: this release does not know {', '.join(unknown[:5])}"
        if unknown
        else "contract: every figure is known"
    )
    return not unknown, told, "it was gone back to after a newer one: deploy again, or leave it; what it knows is held"


def _kill(_contract: Contract, settings: Settings) -> Finding:
    try:
        why = kill_reason(Database("recio doctor"), settings.user_id)
    except Exception as failure:
        return False, f"kill switch: not known ({' '.join(str(failure).split())})", "see the database's line"
    return why is None, f"kill switch {'off' if why is None else 'on: ' + why}", "recio kill off --why REASON"


def _keys(_contract: Contract, settings: Settings) -> Finding:
    path = key_folder(settings.mode) / KEY_FILE
    if not path.exists():
        return (
            False,
            f"no exchange key at {path}: the desk can only read",
            "give one under Settings, Exchange, or deploy again",
        )
    mode = path.stat().st_mode & 0o777
    return mode == 0o600, f"exchange key present, mode {mode:o}", f"chmod 600 {path}"


def _backups(contract: Contract, _settings: Settings) -> Finding:
    wrong = complaint(read_status(), time.time(), contract.backup.max_age_h)
    return not wrong, f"backups: {wrong or 'made and verified'}", "recio backup list; recio backup now"


def _off_host(contract: Contract, _settings: Settings) -> Finding:
    if (since_s := configured_since_s()) is None:
        return True, "copy on another machine: none is wanted (backup_off_host_target in the inventory)", ""
    wrong = off_host_complaint(time.time(), contract.backup.off_host.max_age_s)
    age_s = behind_s(read_off_host(), since_s, time.time())
    return not wrong, f"copy on another machine: {wrong or f'{age_s:.0f} s behind at most'}", "recio backup off-host"


def sign_of_life(_contract: Contract, settings: Settings) -> Finding:
    cure = "look at it under Settings, Notifications; journalctl -u recio-notify; systemctl status recio-notify.timer"
    try:
        found = targets(Database("recio doctor"), settings.user_id)
    except Exception as failure:
        return False, f"sign of life: not known ({' '.join(str(failure).split())})", "see the database's line"
    wanted = [target for target in found if target["is_heartbeat"] and target["enabled"]]
    if not wanted:
        return True, "sign of life: none is wanted (Settings, Notifications: an address heartbeat://…)", ""
    wrong = [why for target in wanted if (why := silence(target, time.time()))]
    return not wrong, f"sign of life: {'; '.join(wrong) or f'{len(wanted)} had it within {_ALIVE_MAX_S:.0f} s'}", cure


def silence(target: Mapping[str, Any], now_s: float) -> str:
    """Why a target had no sign of life lately; empty when it had one, or is so new that none was due."""
    last = target["beat_at"]
    quiet_s = now_s - (last or target["created_at"]).timestamp()
    if quiet_s <= _ALIVE_MAX_S:
        return ""
    when = f"had none for {quiet_s / 60:.0f} min" if last else "never had one"
    return f"{target['name']} {when}: {target['beat_answer'] or 'nobody has tried'}"


_CHECKS: tuple[Callable[[Contract, Settings], Finding], ...] = (
    _database, _services, _figures, machine.units, _exchange, _ledger, _kill, machine.disk, machine.clock, machine.names, _keys,
    machine.rights, machine.certificate, machine.security_updates, machine.privileged_files, _backups, _off_host, sign_of_life,
)  # fmt: skip


def doctor() -> None:
    """Check what usually goes wrong and name each cure. Exit status 1 when anything is not well."""
    contract, settings = load(), load_settings()
    ill = 0
    for check in _CHECKS:
        began_s = time.monotonic()
        well, found, cure = check(contract, settings)
        ill += not well
        mark = typer.style("ok ", fg="green") if well else typer.style("BAD", fg="red", bold=True)
        took = f"  ({time.monotonic() - began_s:.1f} s)" if time.monotonic() - began_s > 1 else ""
        typer.echo(f"{mark} {found}{took}")
        if not well:
            typer.echo(f"      cure: {cure}")
    raise typer.Exit(1 if ill else 0)
