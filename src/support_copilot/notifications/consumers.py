"""The consumer of the queue ``notification``."""

from __future__ import annotations

from support_copilot.domain.errors import InvalidInput
from support_copilot.domain.issue import Issue, format_number
from support_copilot.notifications.dispatcher import Dispatcher
from support_copilot.ports import Database, Ids, Notification, UnitOfWork
from support_copilot.queues import NOTIFICATION, QueueMessage

CONSUMER = "notification"
CRITICAL = "critical"


class NotificationConsumer:
    """Puts a notification on the portal's list, then sends it through each other channel.

    The list and one further message per channel (with ``channel`` and ``notification_id`` in its
    body) are written in the transaction that claims the message, so each channel is retried on
    its own. A channel may get a notification twice after a crash, with the same id.
    An issue that is erased or no longer critical by then is not worth anybody's attention.
    """

    def __init__(self, database: Database, ids: Ids, dispatcher: Dispatcher) -> None:
        self._database = database
        self._ids = ids
        self._dispatcher = dispatcher

    async def __call__(self, message: QueueMessage) -> None:
        """Handle one message. Raises InvalidInput for an unknown kind, Unavailable to retry."""
        kind = message.body.get("kind")
        if kind != CRITICAL:
            raise InvalidInput("kind", f"{kind!r} is no kind of notification, use {CRITICAL!r}")
        channel = message.body.get("channel")
        if channel is None:
            await self._store(message)
        else:
            await self._send(message, channel)

    async def _store(self, message: QueueMessage) -> None:
        async def store(uow: UnitOfWork) -> None:
            if not await uow.processed.claim(message.id, CONSUMER):
                return
            issue = await uow.issues.get(int(message.body["issue_id"]))
            if issue is None or not issue.critical:
                return
            await uow.notifications.add(_critical(message.id, issue, message))
            if self._dispatcher.names:
                await uow.outbox.add([self._for(name, message) for name in self._dispatcher.names])

        await self._database.transact(store)

    async def _send(self, message: QueueMessage, channel: str) -> None:
        async with self._database.read() as uow:
            issue = await uow.issues.get(int(message.body["issue_id"]))
        if issue is None or not issue.critical:
            return
        notification_id = int(message.body["notification_id"])
        await self._dispatcher.send(channel, _critical(notification_id, issue, message))

    def _for(self, channel: str, message: QueueMessage) -> QueueMessage:
        return QueueMessage(
            id=self._ids.new(),
            queue=NOTIFICATION.name,
            body=message.body | {"channel": channel, "notification_id": str(message.id)},
            created_at=message.created_at,
            key=message.key,
            trace=message.trace,
        )


def _critical(notification_id: int, issue: Issue, message: QueueMessage) -> Notification:
    return Notification(
        id=notification_id,
        kind=CRITICAL,
        issue_id=issue.id,
        title=f"{format_number(issue.number)} is critical: {issue.title}",
        text="\n".join(reason["text"] for reason in issue.critical_reasons),
        created_at=message.created_at,
    )
