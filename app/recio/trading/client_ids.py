"""The client order id: a function of what the order is for, so that no retry can ever mint a second one."""

from __future__ import annotations

import hashlib

__all__ = ["client_order_id"]


def client_order_id(namespace: str, trade_id: int, purpose: str, attempt: int) -> str:
    """A UUID-shaped id (version 8), the same for ever for (namespace, trade, purpose, attempt).

    An id is unique for the life of an exchange account, a trade's number only for the life of a database: ``namespace``
    must tell databases apart, for example mode, user and the ticket's creation time. ``attempt`` counts the orders of
    this purpose of this trade (0 the first): a new attempt is a new order, made only once the one before is final.
    Raises ValueError.
    """
    if not namespace:
        raise ValueError("namespace is empty; ids of two databases on one account would collide")
    if purpose not in ("entry", "exit"):
        raise ValueError(f"purpose is {purpose!r}; expected 'entry' or 'exit'")
    if trade_id < 0 or attempt < 0:
        raise ValueError(f"trade_id {trade_id} and attempt {attempt} must be 0 or more")
    digest = bytearray(hashlib.sha256(f"{namespace}\0{trade_id}\0{purpose}\0{attempt}".encode()).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
