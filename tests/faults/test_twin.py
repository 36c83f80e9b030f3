"""Two desks on one account: the lost machine returns, or a copy of it was started."""

from __future__ import annotations

from injury import HERE, PYTHON, Injury
from remote import Remote, wait_for


def test_another_desk_trades_on_the_account(injury: Injury, remote: Remote) -> None:
    """Its order is nobody's here: entries stop at once, what is held can still be sold, and only a person's word ends it."""
    program = (HERE / "on_host/twin.py").read_text()
    with injury.watch(
        "39", "another desk buys on the same account", blames="^kalshi_account_sync: .*order", says="account differs"
    ) as seen:
        held = injury.desk.buy_filled(left_min_s=40)
        offer = injury.desk.wait_offer(left_min_s=30)
        said = seen.inject(f"{PYTHON} {offer.market_ticker} {offer.side} <<'END'\n{program}END")
        key, filled_e2 = said.split()
        try:
            assert int(filled_e2) > 0, said
            reasons: list[str] = []

            def refused() -> bool:
                """Whether an entry is refused for what the account shows; a price that runs away may refuse one before."""
                answer = injury.desk.buy(injury.desk.wait_offer(left_min_s=5))
                assert answer.status == 200, answer
                reasons.append(f"{answer.body['state']}: {answer.body['reason']}")
                return answer.body["state"] == "refused" and "ledger" in answer.body["reason"]

            # A desk that could not tell would enter beside the other one.
            wait_for("an entry to be refused because account and ledger differ", refused, 60)
            assert refused(), f"entries were stopped, and then were not: {reasons}"
            closed = injury.desk.call(
                "POST", f"/api/trades/{held['trade_id']}/close", {"idempotency_key": f"twin-{key}"}
            )
            assert closed.status == 200, closed
            wait_for(
                "what was held to be sold",
                lambda: injury.desk.trade(held["trade_id"])["state"] in ("closed", "expired"),
                150,  # where nobody bids for it, its settlement ends it
            )
            assert not injury.watcher.well_since_s(seen.injected_s + 30), "nobody has said yet that this is in order"
        finally:  # whoever tests next on this host finds its account in order, however this went
            seen.heal(f"recio account adopt --yes --order {key}")
    assert remote.sql(f"SELECT count(*) FROM users.orders WHERE client_order_id = '{key}'") == [["1"]]
