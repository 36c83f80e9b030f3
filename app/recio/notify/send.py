"""Send one message; gives what the other side answered, or raises SendError with it. No secret is ever in either."""

from __future__ import annotations

import http.client
import json
import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from recio.notify.address import Address

__all__ = ["SendError", "send"]

_TIMEOUT_S = 15.0


class SendError(Exception):
    """It did not arrive, as far as is known; the text is the answer, or what broke."""


def send(
    to: Address,
    title: str,
    body: str,
    *,
    event: str,
    key: str,
    urgent: bool,
    telegram: str = "https://api.telegram.org",
) -> str:
    """Deliver. Certificates are checked; a redirect is not followed: it is an answer like any other."""
    try:
        if to.kind == "email":
            said = _mail(to, title, body)
        elif to.kind == "apprise":
            said = _apprise(to, title, body, urgent)
        elif to.kind == "telegram":
            said = _telegram(to, title, body, telegram)
        elif to.kind == "heartbeat":
            said = _ask("GET", _secure(to), to.host, to.port, to.path)  # the one method all such services take
        elif to.kind == "ntfy":
            # The title travels in a header, which is latin-1: what does not fit is written in the body.
            head = {"Title": title.encode("ascii", "replace").decode(), "Priority": "urgent" if urgent else "default"}
            said = _post(_secure(to), to.host, to.port, to.path, f"{title}\n{body}".encode(), head)
        else:
            text = json.dumps({"event": event, "key": key, "urgent": urgent, "title": title, "body": body}).encode()
            said = _post(to.scheme == "https", to.host, to.port, to.path, text, {"Content-Type": "application/json"})
    except SendError as refused:  # the other side may repeat our address in its answer
        raise SendError(_clean(to, str(refused))) from None
    except (OSError, http.client.HTTPException, smtplib.SMTPException) as failure:
        raise SendError(_clean(to, f"{type(failure).__name__}: {failure}")) from None
    return _clean(to, said)


def _secure(to: Address) -> bool:
    return to.host not in ("localhost", "127.0.0.1", "::1")  # a ntfy server on this machine speaks plain HTTP


def _clean(to: Address, text: str) -> str:
    for secret in sorted(to.secrets, key=len, reverse=True):
        text = text.replace(secret, "…")
    # What a stranger answers is stored and shown: a NUL in it would be refused by the database, and nobody told anything any more.
    return "".join(sign if sign.isprintable() else "�" for sign in " ".join(text.split()))[:300]


def _mail(to: Address, title: str, body: str) -> str:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = to.sender, to.to, title
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="recio.invalid")
    message.set_content(body)
    context = ssl.create_default_context()
    local = to.host in ("localhost", "127.0.0.1", "::1")
    link: smtplib.SMTP
    if to.scheme == "smtps":
        link = smtplib.SMTP_SSL(to.host, to.port or 465, timeout=_TIMEOUT_S, context=context)
    else:
        link = smtplib.SMTP(to.host, to.port or 587, timeout=_TIMEOUT_S)
    with link:
        link.ehlo_or_helo_if_needed()
        if to.scheme == "smtp" and link.has_extn("starttls"):
            link.starttls(context=context)
        elif to.scheme == "smtp" and not local:
            raise SendError(
                f"{to.host} offers no STARTTLS: password and message would travel in the open; use smtps://"
            )
        if to.user:
            link.login(to.user, to.password)
        link.send_message(message)
        return "250 accepted by the mail server"


def _apprise(to: Address, title: str, body: str, urgent: bool) -> str:
    import apprise  # 30 MB and a third of a second, paid only in a pass that sends to a target of this kind

    target = apprise.Apprise.instantiate(to.path)
    if target is None:
        raise SendError(
            f"Apprise does not take this {to.scheme}:// address; github.com/caronc/apprise/wiki has each service's"
        )
    kind = apprise.NotifyType.FAILURE if urgent else apprise.NotifyType.INFO
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]
        arrived = target.notify(body=body, title=title, notify_type=kind)
    if not arrived:
        raise SendError(log.getvalue().strip() or "Apprise could not deliver it, and does not say why")
    return "delivered, says Apprise"


def _telegram(to: Address, title: str, body: str, base: str) -> str:
    scheme, _, rest = base.partition("://")
    host, _, port = rest.partition(":")
    text = json.dumps({"chat_id": to.to, "text": f"{title}\n{body}"[:4000]}).encode()
    path = f"/bot{to.password}/sendMessage"
    return _post(scheme == "https", host, int(port) if port else None, path, text, {"Content-Type": "application/json"})


def _post(secure: bool, host: str, port: int | None, path: str, body: bytes, headers: dict[str, str]) -> str:
    return _ask("POST", secure, host, port, path, body, headers)


def _ask(
    method: str, secure: bool, host: str, port: int | None, path: str, body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> str:  # fmt: skip
    link: http.client.HTTPConnection
    if secure:
        link = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
    else:
        link = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        link.request(method, path or "/", body, {"User-Agent": "recio", **(headers or {})})
        got = link.getresponse()
        said = f"{got.status} {got.reason} {got.read(500).decode('utf-8', 'replace')}"
    finally:
        link.close()
    if not 200 <= got.status < 300:
        raise SendError(said)
    return said
