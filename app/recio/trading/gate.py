"""The gate before real money: whether a calibration shows an edge after fees. Anything but a clear yes is a no."""

from __future__ import annotations

import msgspec

from recio.market.calibration import Edge, Report

__all__ = ["EDGE_SHOWN", "MINIMUM_EVENTS", "NO_EDGE_SHOWN", "OVERRIDE_WORDS", "Verdict", "may_enter_live", "verdict"]

EDGE_SHOWN, NO_EDGE_SHOWN = "edge shown", "no edge shown"
MINIMUM_EVENTS = 100  # settled events with an entry; fewer say nothing about a strategy that wins 19 times of 20
OVERRIDE_WORDS = "I trade without a shown edge"


class Verdict(msgspec.Struct, frozen=True):
    """``text`` is one of the two verdicts, ``why`` one sentence with the figures."""

    passed: bool
    text: str
    why: str


def verdict(report: Report | None) -> Verdict:
    """Edge shown only when the whole 95 % interval of what entries earned after fees is above zero.

    What the strategy really entered counts; before it entered anything, what the blend would have.
    """
    if report is None:
        return Verdict(False, NO_EDGE_SHOWN, "it was never calibrated; `recio calibrate`")
    name = "strategy" if "strategy" in report.edges else "blend"
    edge: Edge | None = report.edges.get(name)
    what = "its entries" if name == "strategy" else "entries by the blend"
    if edge is None or not edge.entries:
        return Verdict(False, NO_EDGE_SHOWN, f"nothing was entered in {report.events} events")
    mean = edge.mean_e4
    cents = f"{what} earned {mean.value / 100:+.2f}c a contract after fees"
    if mean.low is None or mean.high is None:
        return Verdict(False, NO_EDGE_SHOWN, f"{cents}, in {edge.events} event(s): too few for an interval")
    said = f"{cents}, 95 % interval {mean.low / 100:+.2f}c to {mean.high / 100:+.2f}c, {edge.events} events"
    if edge.events < MINIMUM_EVENTS:
        return Verdict(False, NO_EDGE_SHOWN, f"{said}; at least {MINIMUM_EVENTS} events are needed")
    if not mean.low > 0.0:  # a NaN is a no too
        return Verdict(False, NO_EDGE_SHOWN, f"{said}; the interval is not above zero")
    return Verdict(True, EDGE_SHOWN, said)


def may_enter_live(found: Verdict, override: str = "") -> str:
    """Why auto entry may not start in mode live; empty when it may: a passed gate, or the user's own words."""
    if found.passed or override.strip() == OVERRIDE_WORDS:
        return ""
    return f"{found.text}: {found.why}. To go on all the same, write: {OVERRIDE_WORDS}"
