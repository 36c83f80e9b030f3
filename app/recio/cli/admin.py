"""db, user, keys: what the deploy runs. The last line is `changed` or `unchanged`."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from recio.contract import load
from recio.monitoring.exchange_keys import KEY_FILE, records, write_records
from recio.store.admin import bootstrap, migrate
from recio.store.db import Database, dsn_from_environment

__all__ = ["database", "keys", "user"]

database, user, keys = (typer.Typer(no_args_is_help=True) for _ in range(3))


def _said(changed: bool) -> None:
    typer.echo("changed" if changed else "unchanged")


@database.command("bootstrap")
def db_bootstrap() -> None:
    """Create or correct roles and database; as the OS user postgres."""
    _said(bootstrap("dbname=postgres host=/var/run/postgresql", load().database.name))


@database.command("migrate")
def db_migrate() -> None:
    """Bring the schema to this release's revision; as the OS user recio."""
    _said(migrate(dsn_from_environment()))


@user.command("ensure")
def user_ensure(
    login: Annotated[str, typer.Option(help="The login name.")] = "admin",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Replace the password of a user that exists.")] = False,
) -> None:
    """Create the desk's user; an existing one keeps the password they chose unless --reset is given.

    A password set here is good for one log-in, which must choose another. --reset also removes the second factor and its
    recovery codes, and ends every session and API token.
    """
    from recio.web.passwords import hash_password
    from recio.web.weak import refuse_weak

    if not password_stdin:
        sys.exit("recio: give the password on standard input with --password-stdin; never as an argument")
    password = sys.stdin.read().rstrip("\n")
    db = Database("recio cli", dsn_from_environment())
    old = db.one("SELECT login FROM users.users WHERE user_id = '0001'")
    if old and old["login"] == login and not reset:
        _said(False)
        return
    try:
        refuse_weak(password, (login,))
        hashed = hash_password(password)
    except ValueError as wrong:
        sys.exit(f"recio: {wrong}")
    with db.transaction():
        db.run(
            "INSERT INTO users.users (user_id, login, password_hash, must_change) VALUES ('0001', %s, %s, true)"
            " ON CONFLICT (user_id) DO UPDATE SET login = excluded.login, password_hash = excluded.password_hash,"
            " must_change = true, totp_salt = NULL, totp_pending = NULL, totp_since = NULL, totp_last_step = NULL,"
            " changed_at = now()",
            (login, hashed),
        )
        db.run("DELETE FROM users.recovery_codes WHERE user_id = '0001'")
        db.run("DELETE FROM users.sessions WHERE user_id = '0001'")
        db.run("UPDATE users.api_tokens SET revoked_at = now() WHERE user_id = '0001' AND revoked_at IS NULL")
        db.run("INSERT INTO users.audit_log (actor, action) VALUES ('operator', 'user ensure')")
    _said(True)


@keys.command("ensure")
def keys_ensure(
    folder: Annotated[Path, typer.Option("--dir", help="Where the keys lie.")] = Path("/etc/recio/keys"),
) -> None:
    """Make the key pair by which the desk signs to the simulated exchange, and the page's key; existing ones stay."""
    web = _web_key(folder)
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    place = folder / "simulated"
    private, public, key_id = place / KEY_FILE, folder / "kalshi_public.pem", folder / "key_id"
    former = folder / "kalshi_private.pem"  # where earlier releases kept the only key
    if former.exists() and not private.exists() and _belong_together(former, public):
        place.mkdir(exist_ok=True, mode=0o700)
        former.replace(private)
    if private.exists() and public.exists() and key_id.exists():
        _said(web)
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    _write(key_id, f"sim-{secrets.token_hex(8)}\n".encode(), 0o644)
    pem = serialization.PublicFormat.SubjectPublicKeyInfo
    _write(public, key.public_key().public_bytes(serialization.Encoding.PEM, pem), 0o644)
    fresh = folder / "simulated.fresh_key"  # systemd hands on whatever lies in the folder itself
    _write(
        fresh,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ),
        0o600,
    )
    fresh.replace(private)
    if "simulated" in (found := records()):
        write_records({mode: record for mode, record in found.items() if mode != "simulated"})
    _said(True)


def _belong_together(private: Path, public: Path) -> bool:
    """Whether the key is the one the simulated exchange knows."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(private.read_bytes(), None).public_key()
        known = serialization.load_pem_public_key(public.read_bytes())
    except (OSError, ValueError, TypeError):
        return False
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return key.public_bytes(*form) == known.public_bytes(*form)


@keys.command("web")
def keys_web(
    folder: Annotated[Path, typer.Option("--dir", help="Where the keys lie.")] = Path("/etc/recio/keys"),
) -> None:
    """Make the key from which the page makes the second factors' secrets; an existing one stays: a new one voids them."""
    _said(_web_key(folder))


def _web_key(folder: Path) -> bool:
    if (folder / "web_key").exists():
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / "web_key", f"{secrets.token_hex(32)}\n".encode(), 0o600)
    return True


def _write(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=mode)
    fresh.chmod(mode)
    fresh.write_bytes(content)
    fresh.replace(path)
