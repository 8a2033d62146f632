"""Liveness and readiness, as orchestrators and people ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from fastapi import APIRouter, Response

from support_copilot.domain.errors import CopilotError
from support_copilot.web.json_body import JsonResponse
from support_copilot.web.problem_details import documented, problem

CHECK_SECONDS = 2.0

Check = Callable[[], Awaitable[Mapping[str, Any] | None]]
"""Returns details to show, or raises where the thing does not work."""


class Model(Protocol):
    """What is told of a model; ``ports.ModelInfo`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def loaded(self) -> bool: ...
    @property
    def detail(self) -> str: ...


def health_router(
    checks: Mapping[str, Check],
    *,
    models: Callable[[], Sequence[Model]] = tuple,
    optional: frozenset[str] = frozenset(),
) -> APIRouter:
    """Return routes ``/health/live`` and ``/health/ready``.

    ``checks`` run concurrently, 2 s each. Where one fails the answer is 503, unless it is among
    ``optional``: then, as where a model is not loaded, it is 200 with status ``degraded``.
    """
    router = APIRouter(tags=["operations"])

    @router.get("/health/live", summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get(
        "/health/ready",
        summary="Everything that an intake needs works",
        responses=documented(503),
    )
    async def ready() -> Response:
        results = dict(zip(checks, await asyncio.gather(*map(_run, checks.values())), strict=True))
        loaded = [
            {"name": m.name, "version": m.version, "loaded": m.loaded, "detail": m.detail}
            for m in models()
        ]
        failed = [name for name, result in results.items() if result["status"] == "failed"]
        required = [name for name in failed if name not in optional]
        if required:
            return problem(
                503,
                "unavailable",
                "Not ready",
                f"Not working: {', '.join(required)}.",
                headers={"Retry-After": "5"},
                checks=results,
                models=loaded,
            )
        degraded = bool(failed) or not all(model["loaded"] for model in loaded)
        return JsonResponse(
            {
                "status": "degraded" if degraded else "ready",
                "checks": results,
                "models": loaded,
            }
        )

    return router


async def _run(check: Check) -> dict[str, Any]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            details = await check()
    except TimeoutError:
        return {"status": "failed", "detail": f"no answer within {CHECK_SECONDS:.0f} s"}
    except CopilotError as error:
        return {"status": "failed", "detail": error.detail}
    except Exception as error:  # noqa: BLE001 - whatever breaks a check is what it reports
        return {"status": "failed", "detail": type(error).__name__}
    return {"status": "ok", **(details or {})}
