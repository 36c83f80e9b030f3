"""To a kept release and, when it does not prove itself, back again by itself: what playbooks/rollback.yml does, on the host."""

from __future__ import annotations

from recio.hostwork.job import Job, WorkFailed, run_command
from recio.hostwork.work import RECIO
from recio.monitoring.releases import home, kept, refusal

__all__ = ["rollback"]

SWITCH = "/usr/local/lib/recio/switch_release.sh"
_GATE_S = 90


def rollback(job: Job) -> str:
    """Switch, restart everything in order, hold the release to its gate; return to the one left when it fails."""
    target, releases = job.args.release, kept()
    row = job.db.one("SELECT version_num FROM public.schema_version")
    why = refusal(releases, target, row["version_num"] if row else "none")
    if why:
        raise WorkFailed(f"not switched: {why}")
    left = next((release.name for release in releases if release.current), "")
    if not left:
        raise WorkFailed(f"not switched: no release is in service at {home() / 'current'}")
    try:
        _switch(job, target)
    except WorkFailed as failure:
        job.say(f"{target} did not pass; going back to {left}")
        try:
            _switch(job, left)
        except WorkFailed as worse:
            raise WorkFailed(
                f"{target} did not pass ({failure}), and {left} is back in service but has not proven itself either ({worse});"
                " look at the services below and at `recio doctor` on the host"
            ) from None
        (home() / "releases" / left / ".rolled_back").unlink(missing_ok=True)  # it is what serves
        raise WorkFailed(
            f"{target} did not pass its gate, so that {left} is back in service and has proven itself: {failure}"
        ) from None
    (home() / "releases" / target / ".rolled_back").unlink(missing_ok=True)
    return f"release {target} is in service in place of {left}; every service proved its function"


def _switch(job: Job, release: str) -> None:
    job.say(f"switching to {release}: every service restarts in order")
    run_command([SWITCH, release], 240)
    job.say(f"{release} runs; its gate: every service must prove its function within {_GATE_S} s")
    run_command([RECIO, "verify", "--timeout-s", str(_GATE_S)], _GATE_S + 60)
