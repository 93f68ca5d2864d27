"""Runs SQL in DuckDB. Reads the request from standard input and writes the answer to a file."""

import base64
import datetime
import decimal
import json
import math
import sys

import duckdb

COUNTED = {"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY"}


def plain(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, decimal.Decimal)):
        value = float(value)
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    return str(value)


def run(connection, sql):
    sets = []
    for statement in connection.extract_statements(sql):
        cursor = connection.execute(statement)
        kind = statement.type.name
        columns = [column[0] for column in cursor.description or []]
        rows = cursor.fetchall() if columns else []
        if kind in COUNTED and columns == ["Count"] and len(rows) == 1:
            sets.append({"affected": rows[0][0]})
        elif kind in {"SELECT", "EXPLAIN", "PRAGMA", "CALL", "RELATION"} or kind in COUNTED or rows:
            sets.append({"columns": columns, "rows": [[plain(value) for value in row] for row in rows]})
        else:
            sets.append({})
    return sets


def work():
    request = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    try:
        with duckdb.connect(request["database"]) as connection:
            answer = {"sets": run(connection, request["sql"])}
    except duckdb.Error as error:
        answer = {"error": str(error), "code": type(error).__name__.replace("Exception", "Error")}
    with open(request["answer"], "w", encoding="ascii") as file:
        json.dump(answer, file, allow_nan=False)


work()
