"""One OpenAPI document out of those of the services."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_API = ("/v1/", "/health/")


@runtime_checkable
class Documented(Protocol):
    """An application that describes itself."""

    def openapi(self) -> dict[str, Any]: ...


def merge_openapi(
    title: str,
    version: str,
    documents: Iterable[Mapping[str, Any]],
    is_public: Callable[[str], bool],
) -> dict[str, Any]:
    """Return all paths under ``/v1`` and ``/health`` with their components.

    Raises ValueError where two services give one name to different things.
    """
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, or the token that signing in returned.",
            }
        }
    }
    for document in documents:
        for path, item in document.get("paths", {}).items():
            if path.startswith(_API):
                if path in paths:
                    raise ValueError(f"two services document the path {path}")
                paths[path] = _with_security(item, public=is_public(path))
        for kind, named in document.get("components", {}).items():
            known = components.setdefault(kind, {})
            for name, component in named.items():
                if known.setdefault(name, component) != component:
                    raise ValueError(f"two services define {kind}/{name} differently")
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": dict(sorted(paths.items())),
        "components": components,
        "security": [{"bearer": []}],
    }


def _with_security(item: dict[str, Any], *, public: bool) -> dict[str, Any]:
    item = copy.deepcopy(item)
    if public:
        for method, operation in item.items():
            operation["security"] = []
            if method == "get":  # signing in is public too, and may be refused
                for status in ("401", "403"):
                    operation["responses"].pop(status, None)
    return item
