"""Passwords that somebody would try: common ones, common ones dressed up, runs, repetitions, this desk's own words.

The list is read line by line when a password is chosen and not kept: it is nobody's memory but that second's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["OWN_WORDS", "common_words", "refuse_weak", "weakness"]

OWN_WORDS = ("recio", "rec.io", "kalshi", "coinbase", "bitcoin", "admin", "desk", "trader", "trading")
_LIST = Path(__file__).parent / "common_passwords.txt"
_LEET = str.maketrans("@431!05$7", "aaeiiosst")
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)
_LEFT_LEAST = 6  # letters and digits that must remain when everything guessable is taken away


def common_words() -> Iterable[str]:
    """The common passwords, one by one; the file says where they come from."""
    with _LIST.open(encoding="utf-8") as lines:
        yield from (line.strip() for line in lines if not line.startswith("#"))


def _unit(text: str) -> str:
    """'abcabcabca' -> 'abc': the shortest beginning whose repetition it is, cut anywhere."""
    for size in range(1, len(text) // 2 + 1):
        if (text[:size] * (len(text) // size + 1))[: len(text)] == text:
            return text[:size]
    return text


def _is_run(text: str) -> bool:
    """A piece of the alphabet, the digits or the keyboard, forwards or backwards."""
    return any(text in run * 2 or text in run[::-1] * 2 for run in _RUNS)


def weakness(password: str, words: Iterable[str], common: Iterable[str]) -> str:
    """Why a password is too easy to guess, as the end of a sentence; '' when nothing is known against it.

    ``words``: names of this user and this desk. ``common``: passwords people choose.
    """
    plain = password.lower()
    letters = re.sub(r"[\W_]", "", plain)
    if len(_unit(letters)) <= 4 or len(set(letters)) <= 4:
        return "is a repetition of a few characters"
    rest = letters
    for word in sorted({w.lower() for w in words if len(w) >= 4}, key=len, reverse=True):
        rest = rest.replace(re.sub(r"[\W_]", "", word), "")
    if rest != letters and len(re.sub(r"[0-9]", "", rest)) < _LEFT_LEAST:
        return "is little more than a name that belongs to this desk"
    unit = _unit(letters)
    cores = {plain, letters, unit}
    cores |= {re.sub(r"^[\W\d_]+|[\W\d_]+$", "", core) for core in cores}
    cores |= {core.translate(_LEET) for core in cores}
    if any(len(core) >= 4 and _is_run(core) for core in cores):
        return "is a row of the alphabet, of digits or of the keyboard"
    if not cores.isdisjoint(common):
        return "is one of the passwords people choose most, or one of them with something added"
    return ""


def refuse_weak(password: str, words: Iterable[str]) -> None:
    """Raise ValueError saying why, when a password is too easy to guess. ``words`` beside the desk's own."""
    why = weakness(password, (*OWN_WORDS, *words), common_words())
    if why:
        raise ValueError(f"the password {why}")
