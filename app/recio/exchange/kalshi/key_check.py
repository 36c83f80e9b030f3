"""Is this key good? One signed call with a key that is offered: the only place where one is read before it is trusted.

Runs as `python -m recio.exchange.kalshi.key_check` in a unit of its own (recio-key_check.service): a user without rights, the
key by systemd credential, the answer as one line of JSON on standard output. Nothing of the key is ever in that line.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

import msgspec

from recio.exchange.errors import ClockSkewed, ExchangeError, Refused
from recio.exchange.kalshi.client import KalshiClient
from recio.exchange.kalshi.signing import SigningKeyError, read_key

__all__ = ["KEY_NAME", "QUESTION_NAME", "Answer", "KeyFacts", "Question", "check", "facts_of", "main"]

KEY_NAME, QUESTION_NAME = "private_key", "question"
_LEAST_BITS = 2048
_TIMEOUT_S = 5.0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to ask, as whom. ``rest_url`` ends in /trade-api/v2."""

    rest_url: str
    key_id: str


class Answer(msgspec.Struct, frozen=True):
    """``ok``: the exchange took a signed call. ``said`` is a sentence with the cure otherwise. Money in millionths of a dollar."""

    ok: bool
    said: str = ""
    kind: str = ""
    fingerprint: str = ""
    balance_e6: int | None = None


class KeyFacts(msgspec.Struct, frozen=True):
    """What may be told of a key: "RSA 2048", and the SHA-256 of its public part."""

    kind: str
    fingerprint: str


def facts_of(pem: bytes) -> KeyFacts:
    """Kind and fingerprint of a private key. Raises SigningKeyError for one that cannot or must not be used."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = read_key(pem)
    if isinstance(key, RSAPrivateKey) and key.key_size < _LEAST_BITS:
        raise SigningKeyError(
            f"the RSA key has {key.key_size} bits, which is too short; make one of {_LEAST_BITS} or more"
        )
    kind = f"RSA {key.key_size}" if isinstance(key, RSAPrivateKey) else "Ed25519"
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyFacts(kind, "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("="))


def check(question: Question, pem: bytes) -> Answer:
    """Ask for the balance, signed with this key."""
    try:
        facts = facts_of(pem)
    except SigningKeyError as wrong:
        return Answer(False, str(wrong))
    client = KalshiClient(question.rest_url, question.key_id, pem, timeout_s=_TIMEOUT_S)
    try:
        balance = client.balance()
    except ClockSkewed as refused:
        return Answer(False, f"{refused}; this host's clock is wrong: set it (recio doctor), then give the key again")
    except Refused as refused:
        return Answer(False, f"{refused}{_cure(refused)}")
    except ExchangeError as failure:
        return Answer(False, f"{failure}; whether the key is good is not known: try again when the exchange answers")
    finally:
        client.close()
    return Answer(True, "", facts.kind, facts.fingerprint, balance.balance_e6)


def _cure(refused: Refused) -> str:
    if refused.details == "NOT_FOUND":
        return "; it does not know this key id: a key is good only on the exchange where it was made"
    if "SIGNATURE" in refused.details:
        return "; the id and the private key do not belong together: give the two that were made together"
    return "; look at the key's rights on the exchange's page" if refused.status in (401, 403) else ""


def main() -> int:
    """Read question and key from the unit's credentials, write the answer; the exit status is 0 whenever there is one."""
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"))
    try:
        question = msgspec.json.decode((folder / f"candidate_{QUESTION_NAME}").read_bytes(), type=Question)
        pem = (folder / f"candidate_{KEY_NAME}").read_bytes()
    except (OSError, msgspec.DecodeError) as problem:
        print(f"recio: no key to check: {problem}", file=sys.stderr)
        return 1
    print(msgspec.json.encode(check(question, pem)).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
