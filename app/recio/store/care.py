"""What an operator does for the database by hand, while the desk trades: see what is slow and why, clean up, build indexes anew.

No trade waits for any of it: EXPLAIN never runs the statement, VACUUM and REINDEX CONCURRENTLY work beside writers.
"""

from __future__ import annotations

import re

import psycopg2

from recio.store.db import Database, DatabaseGone

__all__ = ["CareError", "explain", "reindex", "vacuum"]

_PLANNABLE = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH)\b", re.IGNORECASE)
# pg_stat_statements puts $n for every constant, also where SQL wants a literal: interval '1 s' became interval $1.
_TYPED = re.compile(r"\b(interval|timestamptz|timestamp|date|time)\s+(\$\d+)", re.IGNORECASE)
_FIELD = re.compile(
    r"\bextract\s*\(\s*\$\d+\s+FROM\b", re.IGNORECASE
)  # extract(epoch FROM …); the plan is the same for each field
_PREPARED = re.compile(
    r"^\s*PREPARE\s+\w+\s*(?:\([^()]*\)\s*)?AS\s+", re.IGNORECASE
)  # what is executed again and again is known so
_UNTYPED = re.compile(r"data type of parameter \$(\d+)")
_BETWEEN_TWO = "operator is not unique: unknown"  # 1 + 2 became $5 + $6, and nothing says what is added
_SUM = re.compile(r"\$(\d+)\s*[-+*/%]\s*\$(\d+)")


class CareError(RuntimeError):
    """What was asked for cannot be done; says why and what can."""


def explain(maintenance: Database, db: Database, query_id: str) -> list[str]:
    """The plan PostgreSQL makes for a statement whatever its values are, line by line; the statement is not run.

    ``maintenance`` is a superuser's connection to the database `postgres`, where pg_stat_statements lives; ``db`` one to the desk's
    database with the right to read its tables.
    """
    found = maintenance.one("SELECT query FROM public.pg_stat_statements WHERE queryid::text = %s", (query_id,))
    if found is None:
        raise CareError(f"no statement {query_id} is known; `recio db slow` lists those that are")
    query = _PREPARED.sub("", found["query"])
    text = _FIELD.sub("extract(epoch FROM", _TYPED.sub(r"CAST(\2 AS \1)", query)).rstrip(" ;\n")
    if not _PLANNABLE.match(text):
        raise CareError(f"statement {query_id} has no plan, it is no query: {text[:80]}")
    types = ["unknown"] * max((int(number) for number in re.findall(r"\$(\d+)", text)), default=0)
    while True:
        try:
            return _planned(db, text, types)
        except DatabaseGone:
            raise
        except psycopg2.Error as failure:
            untyped = _UNTYPED.search(str(failure))
            if untyped and types[int(untyped[1]) - 1] == "unknown":  # a value only shown, not compared: any type does
                types[int(untyped[1]) - 1] = "text"
                continue
            if _BETWEEN_TWO in str(failure) and (sums := _sums(text, types)):
                for number in sums:
                    types[number - 1] = "integer"
                continue
            raise CareError(
                f"PostgreSQL cannot plan statement {query_id} without its values: {str(failure).splitlines()[0]}; "
                "put values for its $1, $2, … and use EXPLAIN in psql"
            ) from failure


def _sums(text: str, types: list[str]) -> set[int]:
    """The places that are calculated with one another and have no type yet."""
    pairs = {int(number) for pair in _SUM.findall(text) for number in pair}
    return {number for number in pairs if types[number - 1] == "unknown"}


def _planned(db: Database, text: str, types: list[str]) -> list[str]:
    given, values = (f"({', '.join(words)})" if types else "" for words in (types, ["NULL"] * len(types)))
    with db.transaction():
        db.run("SET LOCAL plan_cache_mode = force_generic_plan")
        db.run(f"PREPARE recio_explained {given} AS {text}")
        rows = db.all(f"EXPLAIN (VERBOSE, SETTINGS) EXECUTE recio_explained{values}")
        db.run("DEALLOCATE recio_explained")
    return [str(row["QUERY PLAN"]) for row in rows]


def _table(db: Database, name: str) -> str:
    try:
        row = db.one(
            "SELECT format('%%I.%%I', n.nspname, c.relname) AS quoted FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'p', 'm')",
            (name,),
        )
    except psycopg2.ProgrammingError:  # nothing that could be a name
        row = None
    if row is None:
        raise CareError(f"there is no table {name}; name it with its schema, as users.trades_0001")
    return str(row["quoted"])


def vacuum(db: Database, table: str | None = None) -> None:
    """VACUUM (ANALYZE) of one table, or of all."""
    db.run(f"VACUUM (ANALYZE) {_table(db, table) if table else ''}".rstrip())


def reindex(db: Database, table: str) -> float:
    """Build a table's indexes anew beside its writers; MB that were given back. What an interrupted build left is removed first."""
    quoted = _table(db, table)
    size = f"SELECT pg_indexes_size('{quoted.replace(chr(39), chr(39) * 2)}'::regclass) / 1048576.0 AS mb"
    left = db.all(
        "WITH tables AS (SELECT %s::regclass::oid AS oid UNION SELECT relid FROM pg_partition_tree(%s::regclass)),"
        " all_of_them AS (SELECT oid FROM tables UNION SELECT c.reltoastrelid FROM pg_class c JOIN tables USING (oid))"
        " SELECT indexrelid::regclass::text AS name FROM pg_index JOIN all_of_them ON indrelid = oid"
        " WHERE NOT indisvalid AND indexrelid::regclass::text ~ '_cc(new|old)[0-9]*$'",
        (table, table),
    )
    for row in left:
        db.run(f"DROP INDEX CONCURRENTLY {row['name']}")
    before = db.one(size)
    db.run(f"REINDEX TABLE CONCURRENTLY {quoted}")
    after = db.one(size)
    assert before is not None and after is not None  # noqa: S101 - a size is always answered
    return float(before["mb"]) - float(after["mb"])
