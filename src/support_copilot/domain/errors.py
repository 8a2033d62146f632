"""What can go wrong, as data; the HTTP edge translates it.

CopilotError
├── InvalidInput          a field's value cannot be accepted            422
├── NotFound              there is no such thing, or it is not yours    404
├── Conflict              the request contradicts the present state     409
│   ├── VersionMismatch   somebody changed it since it was read         412
│   └── KeyReused         an idempotency key came with another body     422
├── NotSignedIn           no valid credential                           401
├── NotAllowed            signed in, not permitted                      403
├── TooManyRequests       a budget is used up                           429
├── TooLarge              a body over the limit                         413
├── DeadlineExceeded      the request's time is used up                 504
└── Unavailable           a dependency does not answer                  503
"""

from __future__ import annotations

from typing import ClassVar


class CopilotError(Exception):
    """Base of every expected error: ``detail`` is a sentence that says what to do."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidInput(CopilotError):
    """Carries ``errors``: a list of ``{"field", "message"}``."""

    code = "invalid-input"

    def __init__(self, field: str, message: str, **extra: object) -> None:
        super().__init__(f"{field}: {message}", **extra)
        self.errors = [{"field": field, "message": message}]


class NotFound(CopilotError):
    code = "not-found"


class Conflict(CopilotError):
    code = "conflict"


class VersionMismatch(Conflict):
    code = "version-mismatch"


class KeyReused(Conflict):
    code = "idempotency-key-reused"


class NotSignedIn(CopilotError):
    code = "not-signed-in"


class NotAllowed(CopilotError):
    code = "not-allowed"


class TooManyRequests(CopilotError):
    """``retry_after`` is in whole seconds."""

    code = "too-many-requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooLarge(CopilotError):
    code = "too-large"


class DeadlineExceeded(CopilotError):
    code = "deadline-exceeded"


class Unavailable(CopilotError):
    code = "unavailable"
