"""The channels that lead out of the house, by name."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from support_copilot.ports import Notification, NotificationChannel
from support_copilot.web.circuit_breaker import CircuitBreaker

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Holds the configured channels; the portal's list is none of them, it is always there."""

    def __init__(self, channels: Sequence[NotificationChannel] = ()) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._breakers = {name: CircuitBreaker(f"The channel {name}") for name in self._channels}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._channels)

    async def send(self, channel: str, notification: Notification) -> None:
        """Deliver through one channel; drop what is for a channel no longer configured.

        Raises Unavailable where the channel does not take it now, at once where it did not take
        the last few either.
        """
        found = self._channels.get(channel)
        if found is None:
            _log.warning("notification_channel_gone", channel=channel, id=notification.id)
            return
        async with self._breakers[channel].guard():
            await found.send(notification)
