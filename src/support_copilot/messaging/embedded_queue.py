"""The durable queue in the product's own database: nothing to install, nothing lost by a kill."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog

from support_copilot.ports import Clock, DeadLetter, Delivery, QueueDepth
from support_copilot.queues import QUEUES, QueueMessage

log = structlog.get_logger(__name__)

T = TypeVar("T")

ACK_BATCH = 500


class Store(Protocol):
    """The rows behind the queue; ``storage.queue_store.QueueStore`` says what each call does."""

    async def publish(self, batch: Sequence[QueueMessage], now: datetime) -> None: ...
    async def claim(
        self, queue: str, limit: int, now: datetime, lease_seconds: float
    ) -> list[tuple[QueueMessage, int]]: ...
    async def renew(
        self, message_id: int, attempt: int, now: datetime, lease_seconds: float
    ) -> bool: ...
    async def delete(self, message_ids: Sequence[int]) -> None: ...
    async def retry(
        self, message_id: int, attempt: int, visible_at: float, reason: str
    ) -> bool: ...
    async def bury(self, message_id: int, attempt: int, now: datetime, reason: str) -> bool: ...
    async def give_back(self, claims: Sequence[tuple[int, int]], *, delivered: bool) -> None: ...
    async def next_visible_at(self, queue: str) -> float | None: ...
    async def depth(self, now: datetime) -> list[QueueDepth]: ...
    async def dead_letters(self, queue: str, limit: int) -> list[DeadLetter]: ...
    async def retry_dead(self, queue: str, message_id: int | None, now: datetime) -> int: ...
    async def purge_dead(self, queue: str) -> int: ...


class EmbeddedQueue:
    """The ``Queue`` port over a table.

    A delivery not settled within ``lease_seconds`` is delivered again, so a handling must take
    less than half of that (a lease more than half spent is renewed before its message is
    yielded). What this process publishes is delivered at once; what another one publishes,
    within ``poll_seconds``. Messages of one key are delivered one at a time, in order but for
    those that wait for a retry.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        lease_seconds: float = 60.0,
        poll_seconds: float = 0.5,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._acks = _AckWriter(store)
        self._hands: dict[str, set[_Hand]] = {}
        self._delivered: set[_Delivery] = set()
        self._closed = False

    async def publish(self, messages: Sequence[QueueMessage]) -> None:
        await self._store.publish(messages, self._clock.now())
        for queue in {message.queue for message in messages}:
            self.wake(queue)

    def wake(self, queue: str) -> None:
        """Make the consumers of a queue look at once."""
        for hand in self._hands.get(queue, ()):
            hand.news.set()

    async def consume(self, queue: str, prefetch: int = 16) -> AsyncGenerator[Delivery, None]:
        hand = _Hand(prefetch)
        self._hands.setdefault(queue, set()).add(hand)
        try:
            while not self._closed:
                hand.news.clear()
                if hand.free and await self._claim(queue, hand):
                    while hand.waiting and not self._closed:
                        delivery = hand.waiting.popleft()
                        hand.delivered += 1
                        self._delivered.add(delivery)
                        if await self._still_leased(delivery):
                            yield delivery
                        else:
                            self.settled(delivery)
                else:
                    await self._rest(queue, hand)
        finally:
            self._hands[queue].discard(hand)
            await self._give_back(hand.take_waiting(), delivered=False)

    async def depth(self) -> list[QueueDepth]:
        found = {depth.queue: depth for depth in await self._store.depth(self._clock.now())}
        return [
            found.get(name, QueueDepth(name, ready=0, in_flight=0, dead=0))
            for name in sorted(QUEUES.keys() | found.keys())
        ]

    async def dead_letters(self, queue: str, limit: int = 100) -> list[DeadLetter]:
        return await self._store.dead_letters(queue, limit)

    async def retry_dead(self, queue: str, message_id: int | None = None) -> int:
        count = await self._store.retry_dead(queue, message_id, self._clock.now())
        self.wake(queue)
        return count

    async def purge_dead(self, queue: str) -> int:
        return await self._store.purge_dead(queue)

    async def ping(self) -> None:
        await self._store.next_visible_at("")

    async def close(self) -> None:
        """End all consumers and give back what is in hand, for others to take at once."""
        self._closed = True
        await self._acks.flush()
        for queue, hands in self._hands.items():
            self.wake(queue)
            for hand in hands:
                await self._give_back(hand.take_waiting(), delivered=False)
        unsettled, self._delivered = self._delivered, set()
        await self._give_back(unsettled, delivered=True)

    async def ack(self, delivery: _Delivery) -> None:
        try:
            await self._acks.write(delivery.message.id)
        finally:
            self.settled(delivery)

    async def retry(self, delivery: _Delivery, delay_seconds: float, reason: str) -> None:
        visible_at = self._clock.now().timestamp() + delay_seconds
        try:
            await self._store.retry(delivery.message.id, delivery.attempt, visible_at, reason)
        finally:
            self.settled(delivery)

    async def bury(self, delivery: _Delivery, reason: str) -> None:
        try:
            await self._store.bury(delivery.message.id, delivery.attempt, self._clock.now(), reason)
        finally:
            self.settled(delivery)

    def settled(self, delivery: _Delivery) -> None:
        """Free the place of a delivery, whose key may be free now too."""
        self._delivered.discard(delivery)
        delivery.hand.delivered -= 1
        delivery.hand.news.set()

    async def _claim(self, queue: str, hand: _Hand) -> bool:
        async def claim() -> bool:
            now = self._clock.now()
            # A look takes nobody's turn to write; most news are of places, not of messages.
            due = await self._store.next_visible_at(queue)
            if due is None or due > now.timestamp():
                return False
            for message, attempt in await self._store.claim(
                queue, hand.free, now, self._lease_seconds
            ):
                hand.waiting.append(_Delivery(self, hand, message, attempt, now))
            return bool(hand.waiting)

        return await _unbroken(claim())

    async def _rest(self, queue: str, hand: _Hand) -> None:
        """Return when a claim is worth its transaction: news, a due message, a freed place."""
        if not hand.free:
            await hand.news.wait()
            return
        due = await _unbroken(self._store.next_visible_at(queue))
        while not await hand.hears_within(self._pause(due)):
            due = await _unbroken(self._store.next_visible_at(queue))
            if due is not None and due <= self._clock.now().timestamp():
                return

    def _pause(self, due: float | None) -> float:
        # What is due already and was not claimed waits for its key, or for another's claim.
        ahead = 0.0 if due is None else due - self._clock.now().timestamp()
        return min(self._poll_seconds, ahead) if ahead > 0 else self._poll_seconds

    async def _still_leased(self, delivery: _Delivery) -> bool:
        now = self._clock.now()
        if (now - delivery.leased_at).total_seconds() < self._lease_seconds / 2:
            return True
        return await _unbroken(
            self._store.renew(delivery.message.id, delivery.attempt, now, self._lease_seconds)
        )

    async def _give_back(self, deliveries: Collection[_Delivery], *, delivered: bool) -> None:
        if not deliveries:
            return
        claims = [(delivery.message.id, delivery.attempt) for delivery in deliveries]
        try:
            await self._store.give_back(claims, delivered=delivered)
        except Exception:
            # Their leases will run out; an error here would hide why the consumer ended.
            log.exception("queue.give_back_failed", messages=len(claims))


async def _unbroken(call: Coroutine[Any, Any, T]) -> T:
    """Let a call of the store end although its consumer is cancelled.

    Were a claim cut off after its commit, its messages would lie until their lease ends; were a
    look cut off, the pool would lose its connection.
    """
    task = asyncio.create_task(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


@dataclass(slots=True, eq=False)
class _Hand:
    """What one consumer holds, and the news it waits for."""

    prefetch: int
    waiting: deque[_Delivery] = field(default_factory=deque)
    delivered: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def free(self) -> int:
        return max(0, self.prefetch - len(self.waiting) - self.delivered)

    def take_waiting(self) -> list[_Delivery]:
        waiting = list(self.waiting)
        self.waiting.clear()
        return waiting

    async def hears_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self.news.wait()
        except TimeoutError:
            return False


@dataclass(frozen=True, slots=True, eq=False)
class _Delivery:
    """The ``Delivery`` port of one claim."""

    queue: EmbeddedQueue
    hand: _Hand
    message: QueueMessage
    attempt: int
    leased_at: datetime

    async def ack(self) -> None:
        await self.queue.ack(self)

    async def retry(self, delay_seconds: float, reason: str) -> None:
        await self.queue.retry(self, delay_seconds, reason)

    async def bury(self, reason: str) -> None:
        await self.queue.bury(self, reason)


class _AckWriter:
    """Writes in one transaction all acks that came while the one before was written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: list[tuple[int, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, message_id: int) -> None:
        """Return once the ack is durable; a caller cancelled meanwhile has acked all the same."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((message_id, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def flush(self) -> None:
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        await asyncio.sleep(0)  # handlers that end together are acked together
        while self._pending:
            batch, self._pending = self._pending[:ACK_BATCH], self._pending[ACK_BATCH:]
            error: Exception | None = None
            try:
                await self._store.delete([message_id for message_id, _ in batch])
            except Exception as failure:  # noqa: BLE001 - handed to everyone who waits
                error = failure
            for _, written in batch:
                if written.done():
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)
        self._writing = None
