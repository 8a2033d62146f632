"""The product's Prometheus metrics; durations in seconds.

Label values come from small fixed sets: route templates, queue names, steps; never ids, names
or anything a caller can choose.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)

HTTP_REQUESTS = Counter(
    "http_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY
)
HTTP_REQUEST_SECONDS = Histogram(
    "http_request_seconds",
    "Time from a request to the end of its answer.",
    ["route"],
    buckets=_FAST,
    registry=REGISTRY,
)
INTAKE_STEP_SECONDS = Histogram(
    "intake_step_seconds",
    "Time of each step of an intake.",
    ["step"],
    buckets=_FAST,
    registry=REGISTRY,
)
QUEUE_MESSAGES = Counter(
    "queue_messages",
    "Messages handled, by outcome: done, retried, dead.",
    ["queue", "outcome"],
    registry=REGISTRY,
)
QUEUE_HANDLING_SECONDS = Histogram(
    "queue_handling_seconds",
    "Time to handle a message.",
    ["queue"],
    buckets=(*_FAST, 30.0, 60.0),
    registry=REGISTRY,
)
OUTBOX_PENDING = Gauge(
    "outbox_pending",
    "Messages committed and not yet published, as far as the relay's batch reaches.",
    registry=REGISTRY,
)
ANALYSIS_DEGRADED = Counter(
    "analysis_degraded", "Judgements answered by a fallback.", ["step"], registry=REGISTRY
)
ISSUES = Counter("issues", "Issues taken in.", ["severity"], registry=REGISTRY)
CRITICAL_ISSUES = Counter(
    "critical_issues", "Issues that became critical, by reason.", ["reason"], registry=REGISTRY
)


def exposition() -> tuple[bytes, str]:
    """Return all metrics in Prometheus' text format, and its media type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4
