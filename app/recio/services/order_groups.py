"""The exchange-side kill switch: every entry belongs to one order group, which the exchange itself can stop.

             kill switch on: PUT trigger (asked again until it is done)
    open ───────────────────────────────────────────────────────────────► triggered
     ▲  └──── the exchange stopped it: more contracts in 15 s than the limit ───┘  │
     └──────────────── kill switch switched off again by the user: PUT reset ◄─────┘

A new group is made for each day in New York, unless the present one is triggered: a new day re-arms nothing. A group
stopped by its limit is re-armed by switching the kill switch on and off. Without a group no entry is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from recio.exchange.errors import ExchangeError, Refused
from recio.services import log
from recio.services.ledger_port import Row

__all__ = ["GroupGate", "GroupKeeper", "GroupStore", "NoGroup"]

_NEW_YORK = ZoneInfo("America/New_York")
_RETRY_S = 2.0
_BY_SWITCH = "kill switch"


class NoGroup(Exception):
    """There is no order group an entry could be sent in; the message says why."""


class GroupGate(Protocol):
    """The exchange's order groups."""

    def create_order_group(self, limit_e2: int) -> str: ...
    def trigger_order_group(self, group_id: str) -> None: ...
    def reset_order_group(self, group_id: str) -> None: ...
    def limit_order_group(self, group_id: str, limit_e2: int) -> None: ...


class GroupStore(Protocol):
    """users.order_groups: recio.store.order_groups."""

    def newest_group(self, db: Any, mode: str) -> Row | None: ...
    def save_group(self, db: Any, mode: str, group_id: str, day: str, limit_e2: int) -> None: ...
    def set_group(self, db: Any, group_id: str, state: str, why: str, limit_e2: int | None = None) -> None: ...


class GroupKeeper:
    """One account's group of the day, and its obedience to the kill switch."""

    def __init__(
        self,
        db: Any,
        store: GroupStore,
        client: GroupGate,
        mode: str,
        limit_e2: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``limit_e2`` gives the contracts (x 100) a group may trade in 15 seconds."""
        self._db, self._store, self._client, self._mode = db, store, client, mode
        self._limit_e2, self._clock = limit_e2, clock
        self._group: Row | None = None
        self._read = False
        self._tried_s = float("-inf")
        self.problem = ""

    def for_entry(self) -> str:
        """The group an entry goes out in; never asks the exchange, that was done before. Raises NoGroup."""
        group = self._present()
        if group is None:
            raise NoGroup(f"there is no order group to send it in yet; {self.problem or 'ask again in a moment'}")
        if group["state"] != "open":
            raise NoGroup(f"the exchange's order group is stopped ({group['why']}); switch the kill switch on and off")
        return str(group["order_group_id"])

    def heard(self, group_id: str | None, refusal: Refused) -> None:
        """An entry was refused: if by its group, the group is stopped until the user re-arms it; one that is gone is
        replaced by the next entry's."""
        words = f"{refusal.message} {refusal.details}"
        if group_id is None or "order group" not in words:
            return
        if refusal.status == 404:
            self._store.set_group(self._db, group_id, "gone", str(refusal)[:300])
        else:
            self._store.set_group(self._db, group_id, "triggered", f"by the exchange: {words.strip()}"[:300])
            log.warning("order group stopped by the exchange", order_group_id=group_id, why=refusal)
        self._read = False

    def follow(self, killed: str | None) -> None:
        """Make the exchange's group what the kill switch says, and have one for today: to be called in every round.

        ``killed`` is why the switch is on, None when it is off. A failure is said in ``problem`` and tried again.
        """
        if self._clock() - self._tried_s < _RETRY_S:
            return
        try:
            done = self._stop_or_arm(killed) or (killed is None and self._make_or_limit())
        except ExchangeError as failure:
            gone = isinstance(failure, Refused) and failure.status == 404 and self._group is not None
            if gone and self._group is not None:
                self._store.set_group(self._db, self._group["order_group_id"], "gone", str(failure)[:300])
            self._tried_s, self._read = self._clock(), False
            self.problem = f"order group: {failure}"
            log.warning("order group not as it should be yet", why=failure)
            return
        self.problem, self._tried_s = "", float("-inf")
        self._read = self._read and not done

    def _stop_or_arm(self, killed: str | None) -> bool:
        """Trigger or reset the group when the switch asks for it; True when it was done."""
        group = self._present()
        if group is None:
            return False
        stopped_by_switch = group["state"] == "triggered" and group["why"].startswith(_BY_SWITCH)
        if killed is not None and not stopped_by_switch:
            self._client.trigger_order_group(group["order_group_id"])
            why = f"{_BY_SWITCH}: {killed}"[:300]
            self._store.set_group(self._db, group["order_group_id"], "triggered", why)
        elif killed is None and stopped_by_switch:
            self._client.reset_order_group(group["order_group_id"])
            self._store.set_group(self._db, group["order_group_id"], "open", "")
        else:
            return False
        log.info("order group", state="open" if killed is None else "triggered", why=killed or "armed again")
        return True

    def _make_or_limit(self) -> bool:
        """A group for today with today's limit; True when something was done. A stopped one stays what it is."""
        group, limit_e2 = self._present(), self._limit_e2()
        day = datetime.fromtimestamp(self._clock(), _NEW_YORK).date().isoformat()
        if group is None or (group["state"] == "open" and group["day"] != day):
            made = self._client.create_order_group(limit_e2)
            self._store.save_group(self._db, self._mode, made, day, limit_e2)
            log.info("order group made", order_group_id=made, limit_e2=limit_e2)
        elif group["state"] == "open" and group["limit_e2"] != limit_e2:
            self._client.limit_order_group(group["order_group_id"], limit_e2)
            self._store.set_group(self._db, group["order_group_id"], "open", "", limit_e2)
        else:
            return False
        return True

    def _present(self) -> Row | None:
        if not self._read:
            found = self._store.newest_group(self._db, self._mode)
            self._group = None if found is None or found["state"] == "gone" else found
            self._read = True
        return self._group
