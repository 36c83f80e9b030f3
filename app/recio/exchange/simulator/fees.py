"""The fee schedule as parameters: quadratic, per fill, rounded up to a quantum (schedule of 2026-07-07)."""

from __future__ import annotations

import msgspec

from recio.units import ONE_DOLLAR_E4

__all__ = ["FeeSchedule"]


class FeeSchedule(msgspec.Struct, frozen=True):
    """fee = ceil_to(quantum, rate x C x P x (1 - P)). Rates in 1/10,000: 700 is 0.07."""

    taker_rate_e4: int = 700
    maker_rate_e4: int = 0
    quantum_e6: int = 100

    def fee_e6(self, count_e2: int, price_e4: int, is_taker: bool) -> int:
        """The fee of one fill in micro-dollars. 1 contract at 0.52 is 17,500."""
        rate = self.taker_rate_e4 if is_taker else self.maker_rate_e4
        # count_e2 x p_e4 x q_e4 is dollars x 10**10; times rate_e4 makes 10**14; micro-dollars are 10**6 of them.
        scaled = count_e2 * price_e4 * (ONE_DOLLAR_E4 - price_e4) * rate
        return -(-scaled // (10**8 * self.quantum_e6)) * self.quantum_e6
