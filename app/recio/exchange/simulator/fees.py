"""The fee schedule as parameters: quadratic, per fill, rounded up to a quantum (schedule of 2026-07-07).

Per fill: net = trade fee + rounding fee - rebate. The rounding fee brings the balance onto its precision; what an order
overpaid that way is paid back in whole cents as soon as it makes one.
"""

from __future__ import annotations

import msgspec

from recio.units import ONE_DOLLAR_E4

__all__ = ["FeeSchedule"]

_CENT_E6 = 10_000


class FeeSchedule(msgspec.Struct, frozen=True):
    """trade fee = ceil_to(quantum, multiplier x rate x C x P x (1 - P)). Rates in 1/10,000: 700 is 0.07.

    ``precision_e6`` is what balances are kept to: 100 ($0.0001) for direct members, 10,000 (a cent) for others.
    ``multiplier_e2`` is the series' fee multiplier in 1/100.
    """

    taker_rate_e4: int = 700
    maker_rate_e4: int = 0
    quantum_e6: int = 100
    precision_e6: int = 100
    multiplier_e2: int = 100

    @property
    def fee_type(self) -> str:
        """The exchange's word for this schedule."""
        return "quadratic_with_maker_fees" if self.maker_rate_e4 else "quadratic"

    def fee_e6(self, count_e2: int, price_e4: int, is_taker: bool) -> int:
        """The trade fee of one fill in micro-dollars. 1 contract at 0.52 is 17,500."""
        rate = (self.taker_rate_e4 if is_taker else self.maker_rate_e4) * self.multiplier_e2
        # count_e2 x p_e4 x q_e4 is dollars x 10**10; times rate_e4 and multiplier_e2 makes 10**16; we want 10**6.
        scaled = count_e2 * price_e4 * (ONE_DOLLAR_E4 - price_e4) * rate
        return -(-scaled // (10**10 * self.quantum_e6)) * self.quantum_e6

    def net_e6(self, revenue_e6: int, trade_fee_e6: int, overpaid_e6: int) -> tuple[int, int]:
        """What a fill is charged in all, and what its order has overpaid by then.

        ``revenue_e6`` is what the fill brings before fees (negative for a purchase); ``overpaid_e6`` the order's
        rounding fees so far that were not paid back. Three fills of -0.055 with a trade fee of 0.01 at a precision of
        one cent are charged 0.0150, 0.0050, 0.0150.
        """
        rounding_e6 = (revenue_e6 - trade_fee_e6) % self.precision_e6
        overpaid_e6 += rounding_e6
        rebate_e6 = overpaid_e6 // _CENT_E6 * _CENT_E6
        return trade_fee_e6 + rounding_e6 - rebate_e6, overpaid_e6 - rebate_e6
