"""Which passwords are refused, and that no good one is."""

from __future__ import annotations

import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.web.passwords import MAX_LENGTH, hash_password, verify_password
from recio.web.weak import OWN_WORDS, common_words, refuse_weak, weakness

WORDS = (*OWN_WORDS, "admin", "desk", "example")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("password1234", "people choose most"), ("P@ssw0rd1234", "people choose most"), ("iloveyou2020!", "people choose most"),
        ("passwordpassword", "people choose most"), ("monkey monkey monkey", "people choose most"),
        ("!!princess!!12", "people choose most"), ("abcabcabcabc", "repetition"), ("aaaaaaaaaaaaaaaa", "repetition"),
        ("11111111111a", "repetition"), ("            ", "repetition"), ("qwertyuiop123", "row"), ("123456789012", "row"),
        ("ZyXwVuTsRqPoN", "row"), ("1qaz2wsx3edc", "row"), ("admin-recio-2026", "name"), ("kalshi desk 123456", "name"),
        ("desk.example 1", "name"),
    ],
)  # fmt: skip
def test_what_somebody_would_try_is_refused(password: str, why: str) -> None:
    assert why in weakness(password, WORDS, common_words())
    with pytest.raises(ValueError, match=why):
        refuse_weak(password, ("admin", "desk", "example"))


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "another long password",
        "tr0ub4dor&3 xylo",
        "Xy7!pq2#Lm9$w",
        "пароль-из-слов-дома",
        "🐢🦀🐙 three of them",
    ],
)
def test_any_composition_is_taken(password: str) -> None:
    assert weakness(password, WORDS, common_words()) == ""


@given(st.text(string.ascii_letters + string.digits, min_size=24, max_size=24).filter(lambda text: len(set(text)) > 12))
def test_what_a_deploy_makes_is_taken(password: str) -> None:
    assert weakness(password, WORDS, ("password", "monkey")) == ""


def test_every_common_password_long_enough_is_refused_and_the_list_is_as_asked() -> None:
    words = list(common_words())
    assert len(words) > 3000 and words[0] == "123456"
    for word in words:
        if len(word) >= 12:
            assert weakness(word, (), words), word


def test_long_passwords_are_compared_whole() -> None:
    longest = secrets.token_urlsafe(200)[:MAX_LENGTH]
    stored = hash_password(longest)
    assert verify_password(stored, longest)
    assert not verify_password(stored, longest + "x"), "nothing is cut off"
    assert verify_password(hash_password(longest[:64]), longest[:64])
