"""Where messages go, as one line of text with its secrets in it. Pure.

email     smtps://user:password@mail.example:465/?from=desk@example&to=me@example   (smtp://…:587 takes STARTTLS)
telegram  telegram://BOT-TOKEN/CHAT-ID
ntfy      ntfy://ntfy.sh/TOPIC            webhook   https://host/path
heartbeat heartbeat://hc-ping.com/UUID    (a dead-man's switch: asked for by GET over HTTPS; on this machine over HTTP)
apprise   apprise+slack://A/B/C           (any of Apprise's services, written as Apprise writes it, after `apprise+`)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Address", "AddressError", "parse"]

_KINDS = {
    "smtp": "email",
    "smtps": "email",
    "telegram": "telegram",
    "ntfy": "ntfy",
    "http": "webhook",
    "https": "webhook",
    "heartbeat": "heartbeat",
}


class AddressError(ValueError):
    """An address that cannot be used; the message never repeats what could be a secret."""


@dataclass(frozen=True)
class Address:
    """``secrets``: every part that must not be shown. ``hint`` is what may be."""

    kind: str
    scheme: str
    host: str
    port: int | None
    path: str
    user: str
    password: str
    sender: str
    to: str
    hint: str
    secrets: tuple[str, ...]


def parse(text: str) -> Address:
    """Take an address apart. AddressError says what is wrong and shows how it is written."""
    text = text.strip()
    if len(text) > 1000 or re.search(r"[\x00-\x20\x7f]", text):
        raise AddressError("the address has spaces or is longer than 1000 characters")
    telegram = re.fullmatch(r"telegram://([0-9]{3,20}:[A-Za-z0-9_\-]{20,80})/(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})", text)
    if telegram:
        token, chat = telegram.groups()
        return Address(
            "telegram",
            "telegram",
            "api.telegram.org",
            None,
            "",
            "",
            token,
            "",
            chat,
            f"Telegram chat {chat[:3]}…",
            (token,),
        )
    if text.startswith("apprise+"):
        return _apprise(text.removeprefix("apprise+"))
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise AddressError("the address cannot be read; its port is a number from 1 to 65535") from None
    kind = _KINDS.get(parts.scheme)
    if kind is None or kind == "telegram" or not parts.hostname:
        raise AddressError(
            "write smtps://user:password@host/?from=…&to=…, telegram://BOT-TOKEN/CHAT-ID, ntfy://host/topic, https://host/path,"
            " heartbeat://host/path, or apprise+ and an address of Apprise's"
        )
    query = parse_qs(parts.query)
    sender, to = query.get("from", [""])[0], query.get("to", [""])[0]
    if kind == "email" and not (_mail(sender) and _mail(to)):
        raise AddressError("an e-mail address needs ?from=…&to=… with one address each")
    if kind == "ntfy" and not re.fullmatch(r"/[A-Za-z0-9_\-]{1,64}", parts.path):
        raise AddressError("ntfy needs one topic: ntfy://host/topic, of letters, digits, - and _")
    path = parts.path + (f"?{parts.query}" if parts.query and kind in ("webhook", "heartbeat") else "")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    secrets = tuple(s for s in (password, parts.password or "", path if kind != "email" and len(path) > 1 else "") if s)
    hint = {"email": f"{to} by {parts.hostname}", "heartbeat": f"sign of life at {parts.hostname}"}.get(
        kind, parts.hostname
    )
    return Address(kind, parts.scheme, parts.hostname, port, path, user, password, sender, to, hint, secrets)


def _apprise(text: str) -> Address:
    """An address as Apprise writes it. Whether Apprise takes it, a test shows: the library has no place in the page's memory."""
    scheme, _, rest = text.partition("://")
    if not re.fullmatch(r"[a-z][a-z0-9]{1,24}", scheme) or not rest:
        raise AddressError("after apprise+ comes an address of Apprise's: apprise+slack://TOKEN-A/TOKEN-B/TOKEN-C")
    parts = {part for part in (*re.split(r"[/?&=@:]", rest), *re.split(r"[/?&=@:]", unquote(rest))) if len(part) > 3}
    secrets = (rest, *sorted(parts))
    return Address("apprise", scheme, "", None, text, "", "", "", "", f"{scheme} by Apprise", secrets)


def _mail(text: str) -> bool:
    return re.fullmatch(r"[^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,255}", text) is not None
