"""Loaded by schemathesis before its run (see ``schemathesis.toml``).

Two rules of the product depend on earlier requests, which no schema can say. The requests that
would meet them by chance are changed; ``test_hostile_inputs`` holds the rules themselves.
"""

from __future__ import annotations

import re
import uuid

import schemathesis

_GOOD_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@schemathesis.hook
def before_call(_context, case, _kwargs) -> None:
    # The same Idempotency-Key with another body is refused: each request gets its own.
    for name, value in list((case.headers or {}).items()):
        if name.lower() == "idempotency-key" and _GOOD_KEY.fullmatch(str(value)):
            case.headers[name] = uuid.uuid4().hex
    # A cursor is only good for the query whose page it came with: good requests start anew.
    meant_well = case.meta is not None and case.meta.generation.mode.is_positive
    if meant_well and case.query and case.operation.path == "/v1/issues":
        case.query.pop("cursor", None)
