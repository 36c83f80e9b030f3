"""What a call to an exchange can end in. For an order the difference between these is money.

what happened                                       raised            was the order placed?
connection refused, DNS, TLS, before a request byte NotSent           no
4xx with a body, 401, 409, 429                      Refused           no, and it never will be
401 because of the time stamp                       ClockSkewed       no (a Refused)
timeout or disconnect after bytes were written      OutcomeUnknown    nobody knows: look it up by client id
5xx, 3xx, 408                                       OutcomeUnknown    nobody knows
2xx without an order id, unreadable body            OutcomeUnknown    most likely yes: look it up
404 to a cancel, and the order still rests          OutcomeUnknown    the cancel did nothing: the order lives
our own token bucket is empty for too long          NotSent           no
any of the above on a read                          Unavailable       nothing was asked to change
"""

from __future__ import annotations

__all__ = ["ClockSkewed", "ExchangeError", "NotSent", "OutcomeUnknown", "Refused", "Unavailable"]

_NO_FILL_CODES = ("fill_or_kill_insufficient", "immediate_or_cancel_insufficient")


class ExchangeError(Exception):
    """The base of everything an exchange client raises on purpose."""


class Refused(ExchangeError):
    """A definite no from the exchange. ``status`` is HTTP's; code, message and details are the exchange's."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        """Keep the exchange's own words; they go into the ledger."""
        self.status, self.code, self.message, self.details = status, code, message, details
        text = f"refused by the exchange: HTTP {status} {code}"
        super().__init__(
            text + (f": {message}" if message not in ("", code) else "") + (f" ({details})" if details else "")
        )

    @property
    def is_duplicate(self) -> bool:
        """The client order id was used before: the order may exist, look it up by that id."""
        return self.code == "order_already_exists"

    @property
    def is_throttled(self) -> bool:
        """Too many requests: nothing was done; slow down."""
        return self.status == 429

    @property
    def is_no_fill(self) -> bool:
        """A fill-or-kill (or IOC) order found too little resting volume: a clean no, nothing was created."""
        return self.status == 409 and self.code.startswith(_NO_FILL_CODES)


class ClockSkewed(Refused):
    """The signature's time stamp is outside the exchange's window: set this host's clock (chrony), then try again."""


class OutcomeUnknown(ExchangeError):
    """A request that changes something may have arrived and no answer can be trusted. Never resend blindly."""

    def __init__(self, why: str) -> None:
        """``why`` says what broke, after what, at which address."""
        self.why = why
        super().__init__(f"outcome unknown: {why}")


class NotSent(ExchangeError):
    """No byte of the request left this host: nothing was asked, trying again is safe."""

    def __init__(self, why: str) -> None:
        """``why`` names the address and the reason."""
        self.why = why
        super().__init__(f"not sent: {why}")


class Unavailable(ExchangeError):
    """A read failed although it was retried. Never to be read as "nothing there"."""

    def __init__(self, why: str) -> None:
        """``why`` names the address and the last failure."""
        self.why = why
        super().__init__(f"exchange unavailable: {why}")
