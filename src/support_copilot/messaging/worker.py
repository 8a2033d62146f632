"""The loop between a queue and its handlers: the same one over every broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from enum import StrEnum

import structlog

from support_copilot.ports import Delivery, Handler, Queue
from support_copilot.queues import QUEUES, SCHEMA_VERSION, QueueMessage, QueueSpec

log = structlog.get_logger(__name__)

REASON_MAX = 500
#: How often a message may be delivered without any outcome, beyond its policy's attempts: a
#: message that kills its process must not kill every process after it, but one that merely lay
#: in the hand of a killed process must not be given up for that.
LOST_DELIVERIES_MAX = 20
RESTART_CAP_SECONDS = 30.0


class Outcome(StrEnum):
    """What became of one delivery."""

    DONE = "done"
    RETRIED = "retried"
    BURIED = "buried"
    UNSETTLED = "unsettled"
    """The broker did not take the verdict, so it will deliver the message again."""


Observe = Callable[[str, Outcome, float], None]
"""Called after each delivery with the queue, the outcome and the seconds it took."""


def _ignore(_queue: str, _outcome: Outcome, _seconds: float) -> None:
    pass


class Worker:
    """Runs each queue's handler, at most its ``concurrency`` at a time a queue.

    A handler that fails or exceeds its queue's ``handler_seconds`` is retried by the queue's
    policy and then buried; a message nobody can read is buried at once. Whatever a handler or
    the broker raises, ``run`` goes on.
    """

    def __init__(
        self,
        queue: Queue,
        handlers: Mapping[str, Handler],
        specs: Mapping[str, QueueSpec] = QUEUES,
        *,
        concurrency: int | None = None,
        prefetch: int = 16,
        observe: Observe = _ignore,
        restart_seconds: float = 0.5,
    ) -> None:
        unknown = handlers.keys() - specs.keys()
        if unknown:
            raise ValueError(f"handlers for queues that do not exist: {sorted(unknown)}")
        self._queue = queue
        self._handlers = handlers
        self._specs = specs
        self._concurrency = concurrency
        self._prefetch = prefetch
        self._observe = observe
        self._restart_seconds = restart_seconds
        self._consumers: list[asyncio.Task[None]] = []
        self._handling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Consume until ``stop``, or until cancelled: then what is in hand is cut off."""
        self._consumers = [
            asyncio.create_task(self._consume_for_ever(name), name=f"consume {name}")
            for name in self._handlers
        ]
        try:
            await asyncio.gather(*self._consumers, return_exceptions=True)
            while self._handling:
                await asyncio.wait(self._handling)
        finally:
            await self.stop(timeout=0)

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - bounds a wait, not the call
        """Take nothing more, finish what is in hand within ``timeout`` seconds, cut off the rest.

        What is cut off is delivered again.
        """
        for consumer in self._consumers:
            consumer.cancel()
        if self._consumers:
            await asyncio.wait(self._consumers)
        if self._handling:
            await asyncio.wait(self._handling, timeout=timeout)
        rest = set(self._handling)
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)
            log.warning("worker.cut_off", messages=len(rest))

    async def _consume_for_ever(self, name: str) -> None:
        failures = 0
        while True:
            started = time.monotonic()
            try:
                await self._consume(name)
            except Exception:
                log.exception("worker.consumer_failed", queue=name)
            if time.monotonic() - started > RESTART_CAP_SECONDS:
                failures = 0
            await asyncio.sleep(min(RESTART_CAP_SECONDS, self._restart_seconds * 2**failures))
            failures = min(failures + 1, 16)

    async def _consume(self, name: str) -> None:
        concurrency = self._concurrency or self._specs[name].concurrency
        places = asyncio.Semaphore(concurrency)

        def finished(task: asyncio.Task[None]) -> None:
            self._handling.discard(task)
            places.release()

        async with aclosing(
            self._queue.consume(name, max(self._prefetch, concurrency))
        ) as deliveries:
            await places.acquire()
            async for delivery in deliveries:
                task = asyncio.create_task(self._deliver(name, delivery))
                self._handling.add(task)
                task.add_done_callback(finished)
                await places.acquire()

    async def _deliver(self, name: str, delivery: Delivery) -> None:
        message = delivery.message
        started = time.perf_counter()
        context = message.trace | {"queue": name, "message_id": str(message.id)}
        with structlog.contextvars.bound_contextvars(**context, attempt=delivery.attempt):
            try:
                outcome = await self._handle(self._specs[name], self._handlers[name], delivery)
            except Exception:
                log.exception("message.unsettled")
                outcome = Outcome.UNSETTLED
            seconds = time.perf_counter() - started
            log.debug("message.handled", outcome=outcome, seconds=round(seconds, 4))
        self._observe(name, outcome, seconds)

    async def _handle(self, spec: QueueSpec, handler: Handler, delivery: Delivery) -> Outcome:
        fault = _fault(spec, delivery)
        if fault is not None:
            log.error("message.buried", reason=fault)
            await delivery.bury(fault)
            return Outcome.BURIED
        limit = asyncio.timeout(spec.handler_seconds)
        try:
            async with limit:
                await handler(delivery.message)
        except (Exception, asyncio.CancelledError) as error:
            if _cut_off(error):
                raise
            reason = _reason(error)
            if limit.expired():
                reason = f"TimeoutError: no outcome within {spec.handler_seconds:g} s"
            if delivery.attempt >= spec.retry.max_attempts:
                log.exception("message.buried", reason=reason)
                await delivery.bury(reason)
                return Outcome.BURIED
            delay = spec.retry.delay(delivery.attempt)
            log.warning("message.retried", reason=reason, delay_seconds=round(delay, 3))
            await delivery.retry(delay, reason)
            return Outcome.RETRIED
        await delivery.ack()
        return Outcome.DONE


def _fault(spec: QueueSpec, delivery: Delivery) -> str | None:
    """Return why a message cannot be handled however often it is tried."""
    message: QueueMessage = delivery.message
    if message.schema_version != SCHEMA_VERSION:
        return (
            f"schema version {message.schema_version} is not known here (known: "
            f"{SCHEMA_VERSION}): upgrade this worker, then retry the dead letter"
        )
    missing = [name for name in spec.payload if name not in message.body]
    if missing:
        return f"the body lacks {', '.join(missing)}"
    if delivery.attempt > spec.retry.max_attempts + LOST_DELIVERIES_MAX:
        return f"delivered {delivery.attempt - 1} times without an outcome: it may kill the worker"
    return None


def _cut_off(error: BaseException) -> bool:
    """Tell our own cancellation from one that a handler met in something it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:REASON_MAX]
