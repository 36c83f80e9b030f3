"""Log lines for journald: a priority, what happened, and fields one can search. The logging module costs 2 MB a process."""

from __future__ import annotations

import sys

__all__ = ["error", "info", "warning"]


def _line(priority: int, event: str, fields: dict[str, object]) -> None:
    text = " ".join([event, *(f"{key}={_quoted(value)}" for key, value in fields.items())])
    sys.stderr.write(f"<{priority}>{text}\n")
    sys.stderr.flush()


def _quoted(value: object) -> str:
    text = str(value).replace("\n", " | ")
    return f'"{text}"' if " " in text or not text else text


def info(event: str, **fields: object) -> None:
    """Something a trader or operator may want to read later."""
    _line(6, event, fields)


def warning(event: str, **fields: object) -> None:
    """Something is not as it should be, and the service copes."""
    _line(4, event, fields)


def error(event: str, failure: BaseException | None = None, **fields: object) -> None:
    """Something failed; with ``failure`` its traceback follows on one line."""
    if failure is not None:
        import traceback  # here: with what it imports a third of a megabyte, and most services never need it

        fields["traceback"] = "".join(traceback.format_exception(failure)).strip()
    _line(3, event, fields)
