"""Reads python codes as a JSON list and prints where each that does not parse is wrong, as a JSON list."""

import ast
import json
import sys
import textwrap
import warnings

warnings.simplefilter("ignore")
found = []
for index, code in enumerate(json.loads(sys.stdin.buffer.read().decode("utf-8"))):
    if code.strip() and code.lstrip("\r\n")[:1] in " \t":
        code = textwrap.dedent(code)
    try:
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        found.append({"index": index, "line": line, "message": getattr(error, "msg", None) or str(error)})
print(json.dumps(found))
