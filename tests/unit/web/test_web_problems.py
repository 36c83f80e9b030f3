"""Errors as RFC 9457 writes them: every member there, every bad field named, nothing that was typed repeated."""

from __future__ import annotations

import json

from fastapi.exceptions import RequestValidationError

from recio.trading.ticket import TicketError
from recio.web.errors import ApiError, _from, error_response, problem
from recio.web.problems import PROBLEMS, title_of, type_of


def test_a_problem_has_every_member_and_ours() -> None:
    answer = error_response(
        ApiError(429, "too_many_attempts", "six failures", "wait 2 s", {"Retry-After": "2"}), "/a b"
    )
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert json.loads(answer.body) == {
        "type": "/api/docs#problem-too_many_attempts", "title": PROBLEMS["too_many_attempts"], "status": 429,
        "detail": "six failures", "instance": "/a%20b", "code": "too_many_attempts", "cure": "wait 2 s",
    }  # fmt: skip


def test_a_kind_that_is_not_listed_is_about_blank_with_the_status_phrase() -> None:
    assert (type_of("seldom"), title_of("seldom", 409)) == ("about:blank", "Conflict")
    assert type_of("invalid_count") == "/api/docs#problem-invalid_input"


def test_every_bad_field_is_named_once_and_what_was_sent_is_not_repeated() -> None:
    failure = RequestValidationError(
        [
            {"type": "missing", "loc": ("body", "count"), "msg": "Field required", "input": {"password": "hunter2"}},
            {"type": "int", "loc": ("body", "price", "function-strict"), "msg": "not a number", "input": "hunter2"},
            {"type": "int", "loc": ("body", "price", "int"), "msg": "neither", "input": "hunter2"},
            {"type": "json", "loc": ("body",), "msg": "not JSON", "input": "hunter2"},
        ]
    )
    said = problem(_from(failure), "/api/tickets")
    assert [one["field"] for one in said["errors"]] == ["count", "price", "price.int", "the body"]
    assert "count: Field required" in said["detail"] and "hunter2" not in json.dumps(said)
    one = problem(_from(TicketError("count", "is 0; buy at least 0.01")), "/api/tickets")
    assert one["errors"] == [{"field": "count", "detail": "is 0; buy at least 0.01"}] and one["code"] == "invalid_count"
