"""RFC 6238's own vectors, the window, and recovery codes."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recio.web.second_factor import CODES, code_hash, new_codes, secret_of
from recio.web.totp import STEP_S, address, code_at, matching_step, secret_for, shown

RFC = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "eight_digits"),
    [
        (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
        (2000000000, "69279037"), (20000000000, "65353130"),
    ],
)  # fmt: skip
def test_the_vectors_of_rfc_6238(seconds: int, eight_digits: str) -> None:
    assert code_at(RFC, seconds // STEP_S) == eight_digits[2:]


def test_the_vectors_of_rfc_4226() -> None:
    said = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [code_at(RFC, count) for count in range(10)] == said


@given(st.binary(min_size=20, max_size=20), st.integers(10, 10**8), st.integers(-5, 5), st.floats(0, 29.99))
def test_one_step_either_side_and_no_more(secret: bytes, step: int, off: int, into_s: float) -> None:
    found = matching_step(secret, code_at(secret, step + off), step * STEP_S + into_s)
    if abs(off) <= 1:
        assert found is not None and abs(found - step) <= 1 and code_at(secret, found) == code_at(secret, step + off)
    elif found is not None:  # two steps of a secret may have the same six digits
        assert code_at(secret, found) == code_at(secret, step + off)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "٣٣٣٣٣٣"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert matching_step(RFC, code, 59.0) is None


def test_a_secret_needs_the_hosts_key_and_the_stored_salt() -> None:
    one = secret_for(b"k" * 32, "0001", b"salt")
    assert len(one) == 20 and one == secret_of(b"k" * 32, "0001", b"salt")
    others = {
        secret_for(b"K" * 32, "0001", b"salt"),
        secret_for(b"k" * 32, "0002", b"salt"),
        secret_for(b"k" * 32, "0001", b"s"),
    }
    assert len(others | {one}) == 4


def test_the_address_says_the_same_as_the_text() -> None:
    place = urlsplit(address(RFC, "ad min", "desk.example"))
    asked = parse_qs(place.query)
    assert (place.scheme, place.netloc, unquote(place.path)) == ("otpauth", "totp", "/REC.IO desk.example:ad min")
    assert asked == {"secret": [shown(RFC).replace(" ", "")], "issuer": ["REC.IO desk.example"]}


def test_recovery_codes_are_long_different_and_forgiving_to_type() -> None:
    codes = new_codes()
    assert len(set(codes)) == CODES and all(len(code.replace("-", "")) == 24 for code in codes)
    assert code_hash(codes[0]) == code_hash(f" {codes[0].lower().replace('-', ' ')} ") != code_hash(codes[1])
