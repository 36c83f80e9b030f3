"""Idempotency-Key where no ledger keeps it: carried out once, answered again, refused for another request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pg import Cluster

from recio.store.db import Database
from recio.store.pool import Pool
from recio.web.errors import ApiError
from recio.web.once import run_once


class Work:
    """An application that counts how often it really did something."""

    def __init__(self, status: int = 200) -> None:
        self.status, self.done = status, 0

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Any]) -> None:
        """Do it."""
        self.done += 1
        if self.status == 0:
            raise RuntimeError("it broke")
        body = json.dumps({"run": self.done}).encode()
        await send(
            {"type": "http.response.start", "status": self.status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})


def ask(
    pool: Pool, work: Work, key: str, body: bytes = b"{}", path: str = "/api/runs"
) -> tuple[int, dict[str, str], bytes]:
    """One POST through run_once: status, headers, body."""
    got: list[Any] = []

    async def send(message: Any) -> None:
        got.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    asyncio.run(run_once(work, pool, "0001", key, body, scope, receive, send))
    headers = {k.decode().lower(): v.decode() for k, v in got[0]["headers"]}
    return got[0]["status"], headers, b"".join(message.get("body", b"") for message in got[1:])


@pytest.fixture
def pool(database: Cluster) -> Any:
    """main_app's own rights."""
    made = Pool("main_app", database.dsn("main_app"))
    yield made
    made.close()


def test_the_first_answer_is_given_again_and_nothing_is_done_twice(pool: Pool) -> None:
    work = Work(201)
    first = ask(pool, work, "key-00001")
    again = ask(pool, work, "key-00001")
    assert work.done == 1 and first[0] == again[0] == 201 and first[2] == again[2] == b'{"run": 1}'
    assert again[1]["idempotent-replayed"] == "true" and again[1]["content-type"] == "application/json"
    for other in ({"body": b'{"x":1}'}, {"path": "/api/others"}):
        with pytest.raises(ApiError) as refused:
            ask(pool, work, "key-00001", **other)  # type: ignore[arg-type]
        assert (refused.value.status, refused.value.code) == (409, "idempotency_key_reused")
    assert work.done == 1


@pytest.mark.parametrize("status", [500, 503, 0])
def test_what_broke_may_be_tried_again(pool: Pool, status: int) -> None:
    work = Work(status)
    if status:
        assert ask(pool, work, "key-00002")[0] == status
    else:
        with pytest.raises(RuntimeError):
            ask(pool, work, "key-00002")
    work.status = 200
    assert ask(pool, work, "key-00002")[0] == 200 and work.done == 2
    assert ask(pool, work, "key-00002")[1]["idempotent-replayed"] == "true" and work.done == 2


def test_a_refusal_stands_too(pool: Pool) -> None:
    work = Work(422)
    assert ask(pool, work, "key-00003")[0] == ask(pool, work, "key-00003")[0] == 422 and work.done == 1


def test_a_request_still_running_is_not_run_beside_itself_and_old_keys_go(pool: Pool, database: Cluster) -> None:
    work = Work()
    ask(pool, work, "key-00004")
    owner = Database("tests", database.dsn("postgres"))
    owner.run("UPDATE users.api_answers SET status = NULL, body = NULL")
    with pytest.raises(ApiError) as busy:
        ask(pool, work, "key-00004")
    assert (busy.value.status, busy.value.code) == (409, "still_running") and work.done == 1
    owner.run("UPDATE users.api_answers SET at = now() - interval '25 hours'")
    assert ask(pool, work, "key-00004")[0] == 200 and work.done == 2
    owner.close()
