"""One fault on a running host, from the moment it is done to the moment all is proven well again, with the times it took.

`Injury.watch()` is the whole of a fault test:

    with injury.watch("1", "trade_executor killed", blames="trade_executor") as seen:
        seen.inject("kill -9 …")        # the host's own clock starts
        …
        seen.heal("systemctl start …")  # left out where the host must help itself

Leaving the block waits for: noticed, the right cause named, twelve services healthy, ledger and exchange the same to the cent.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from desk import Desk
from remote import Remote, wait_for

HERE = Path(__file__).parent
PYTHON = "/opt/recio/current/venv/bin/python -"
LONGEST_S = 180.0  # a host that does not help itself within this has failed
SLOW_S = 15.0  # who takes longer is named with the reason
STEADY_S = 3.0  # healthy for so long is healthy again


class Look(NamedTuple):
    """Who was not healthy at a moment of the host's clock."""

    at_s: float
    bad: dict[str, str]


class Watcher:
    """The host looked at four times a second by a program of its own, read here line by line."""

    def __init__(self, facts: dict[str, str]) -> None:
        words = ["ssh", "-F", facts["ssh_config"], facts["host"], PYTHON]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write((HERE / "on_host/watch.py").read_text())
        self._process.stdin.close()
        self.looks: list[Look] = []
        threading.Thread(target=self._read, daemon=True).start()
        wait_for("the first look at the host", lambda: self.looks, 20)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            self.looks.append(Look(said["at_s"], said["bad"]))

    def stop(self) -> None:
        """End the program on the host: its next line finds nobody."""
        self._process.terminate()
        self._process.wait(10)

    def first_bad_s(self, since_s: float, blames: str) -> float | None:
        """When a service whose name or reason fits was first not healthy."""
        for at_s, bad in list(self.looks):
            if at_s >= since_s and any(re.search(blames, f"{name}: {reason}") for name, reason in bad.items()):
                return at_s
        return None

    def well_since_s(self, since_s: float) -> float | None:
        """Since when all twelve are healthy, no earlier than ``since_s``; None while they are not, or the look is old."""
        well: float | None = None
        for at_s, bad in list(self.looks):
            if bad:
                well = None
            elif at_s >= since_s and well is None:
                well = at_s
        return well

    def last_bad(self, before_s: float) -> str:
        """Who was the last to be well again before that moment, and what it said; nothing when nobody was ill."""
        ill = [bad for at_s, bad in list(self.looks) if bad and at_s < before_s]
        return "; ".join(f"{name}: {reason}" for name, reason in ill[-1].items()) if ill else ""


class Seen:
    """What is known of one fault; times by the host's clock, in epoch seconds."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.injected_s = 0.0
        self.healed_s: float | None = None
        self.noticed_s: float | None = None

    def inject(self, command: str) -> str:
        """Do it as root on the host; the clock is read on the host just before. Gives what the command said."""
        said = self._remote.out(f"date +%s.%N; {command}")
        first, _, rest = said.partition("\n")
        self.injected_s = float(first)
        return rest

    def heal(self, command: str) -> None:
        """End the fault where the host cannot; recovery is counted from here."""
        said = self._remote.out(f"{command}; date +%s.%N")
        self.healed_s = float(said.split()[-1])

    def notice(self, sign: str) -> None:
        """Wait on the host until a command succeeds, where the watcher cannot be asked: the sign that it was noticed."""
        said = self._remote.out(f"timeout 60 sh -c 'until {sign}; do sleep 0.1; done' && date +%s.%N")
        self.noticed_s = float(said)


class Injury:
    """Everything a fault test needs: the host, a watcher, the desk that trades meanwhile, and the record of times."""

    def __init__(self, facts: dict[str, str], remote: Remote, desk: Desk, kept: Path) -> None:
        self.remote, self.desk = remote, desk
        self.watcher = Watcher(facts)
        self._kept = kept
        self._facts = facts
        # Tests before these placed orders past the desk, as another program of the same account would.
        self._strangers: list[str] = []
        self._strangers = self.compare()["strangers"]

    @contextmanager
    def watch(
        self, number: str, what: str, *, blames: str = "", says: str = "", unseen: bool = False, trade: bool = True
    ) -> Iterator[Seen]:
        """One fault of the matrix's ``number``.

        ``blames``: a pattern that the name or reason of a service fits which turns unhealthy; ``says``: one that an incident's
        key or cause fits (either may be left out); ``unseen``: the fault must cost nothing at all, and nothing turns unhealthy.
        ``trade``: a contract is bought before, so that there is something to lose.
        """
        self.remote.wait_healthy(90)
        if says:  # one that stands (of the test's own preparations) would be this one's too, and nothing new be told
            wait_for(
                f"the end of an earlier incident that says {says}",
                lambda: self.incident(0, says, "closed_at IS NULL") is None,
                90,
            )
        if trade:
            self.desk.buy_filled(left_min_s=10)
        seen = Seen(self.remote)
        yield seen
        assert seen.injected_s, "nothing was injected"
        noticed = told = None
        if not unseen:
            if blames:
                noticed = seen.noticed_s or wait_for(
                    f"a service to be unhealthy: {blames}",
                    lambda: self.watcher.first_bad_s(seen.injected_s, blames),
                    60,
                )
            if says:
                told = wait_for(f"an incident that says {says}", lambda: self.incident(seen.injected_s, says), 90)
        since_s = seen.healed_s or max(seen.injected_s, noticed or 0.0)
        well = wait_for("twelve healthy services", lambda: self._steady(since_s), LONGEST_S)
        if unseen:
            hurt = [look for look in list(self.watcher.looks) if look.at_s >= seen.injected_s and look.bad]
            assert not hurt, f"{what}: it should cost nothing, yet {hurt[0].bad}"
        counts = self.same_story()
        if told is not None:
            key = told["key"]
            wait_for(f"the incident {key} to end", lambda: not self._open(key), 120, every_s=1)
        moments = [moment for moment in (noticed, told and told["opened_s"]) if moment]
        self._keep(
            {
                "fault": number,
                "what": what,
                "noticed_s": round(min(moments) - seen.injected_s, 1) if moments else None,
                "told_s": round(told["opened_s"] - seen.injected_s, 1) if told else None,
                "said": told["cause"] if told else "",
                "recovered_s": round(well - (seen.healed_s or seen.injected_s), 1),
                "healed": "by hand" if seen.healed_s else "itself",
                "last_bad": self.watcher.last_bad(well),
                **counts,
            }
        )

    def _steady(self, since_s: float) -> float | None:
        """Since when all are well, once that has lasted a while."""
        well = self.watcher.well_since_s(since_s)
        return well if well is not None and self.watcher.looks[-1].at_s - well >= STEADY_S else None

    def incident(self, since_s: float, says: str, also: str = "true") -> dict[str, Any] | None:
        """The first incident opened since whose key or cause fits; None while there is none, or the database is away.

        ``also``: SQL that must hold of it.
        """
        query = (
            "SELECT extract(epoch FROM opened_at), key, cause FROM system.incidents"
            f" WHERE opened_at >= to_timestamp({since_s}) AND {also} ORDER BY opened_at"
        )
        done = self.remote.psql(query, "postgres")
        for line in done.stdout.splitlines() if done.rc == 0 else []:  # while the database is away, it cannot tell
            opened, key, cause = line.split("\x1f")
            if re.search(says, f"{key}: {cause}", re.I):
                return {"opened_s": float(opened), "key": key, "cause": cause}
        return None

    def _open(self, key: str) -> bool:
        text = key.replace("'", "''")
        return self.remote.sql(f"SELECT count(*) FROM system.incidents WHERE key = '{text}' AND closed_at IS NULL") != [
            ["0"]
        ]

    def compare(self) -> dict[str, Any]:
        """What the comparison on the host found."""
        words = ["ssh", "-F", self._facts["ssh_config"], self._facts["host"], PYTHON, *self._strangers]
        text = (HERE / "on_host/compare.py").read_text()
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"the comparison could not be made: {done.stderr.strip()[-800:]}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def same_story(self, timeout_s: float = 120.0) -> dict[str, int]:
        """Ledger, log and exchange agree, as soon as what is under way (an order, a settlement) has ended; the counts."""
        deadline = time.monotonic() + timeout_s
        while (found := self._compare_or_why())["differences"]:
            assert time.monotonic() < deadline, f"after {timeout_s:g} s: {found['differences']}"
            time.sleep(1)
        counts: dict[str, int] = found["counts"]
        return counts

    def _compare_or_why(self) -> dict[str, Any]:
        """An exchange that is just being started again cannot be asked yet; that is no difference, and no agreement either."""
        try:
            return self.compare()
        except AssertionError as failure:
            return {"differences": [str(failure)]}

    def _keep(self, row: dict[str, Any]) -> None:
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        with self._kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        told = f", told after {row['told_s']} s ({row['said'][:70]})" if row["said"] else ""
        last = f", the last of all: {row['last_bad'][:150]}" if row["recovered_s"] > SLOW_S else ""
        print(
            f"\n  {row['what']}: noticed after {row['noticed_s']} s{told}, well again after {row['recovered_s']} s{last}"
        )
