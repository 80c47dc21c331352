"""One MQTT session's reports go to ingest in batches, and are acknowledged in order once they are committed."""

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import chain

import structlog

from pulse.contracts.mqtt import marker_topic, shared_reports
from pulse.runtime.mqtt import ConnectionLost, MqttClient, MqttError, MqttOptions, Received
from status_ingest_svc import metrics
from status_ingest_svc.inbox import Inbox
from status_ingest_svc.ingest import Ingest, Prepared
from status_ingest_svc.lanes import Lanes
from status_ingest_svc.leases import Lease
from status_ingest_svc.patience import insist
from status_ingest_svc.reading import kind, read_report
from status_ingest_svc.settings import Settings

SESSION_EXPIRY = 86_400
RETRY_SECONDS = 0.5
REPEAT_SECONDS = 30.0
"""A marker that is still not through is sent again: a broker may lose one, and the first that comes will do."""
AT_ONCE = 5
"""Batches at a time: one is awaited, one read, two written, one finished."""
FULL = 4
"""So many batches may wait; then the socket is left alone until there is room."""

log = structlog.get_logger()


class Reports:
    """The session of one leased ordinal.

    In the same session a marker queues behind everything that the broker has dealt to it: once the marker is through,
    all of that is committed.
    """

    def __init__(self, lease: Lease, ingest: Ingest, settings: Settings, *, new_ones: bool = True) -> None:
        """With `new_ones` it subscribes to the reports; else it only takes what the session holds already."""
        self._lease = lease
        self._ingest = ingest
        self._settings = settings
        self._new_ones = new_ones
        self._client: MqttClient[int] = MqttClient(self._options, self)
        self._inbox: Inbox[Received] = Inbox(settings.ingest_batch, settings.ingest_linger_ms / 1000)
        self._most = FULL * settings.ingest_batch
        self._marker = marker_topic(lease.ordinal)
        self._shared = shared_reports(settings.mqtt_group)
        self._connected = asyncio.Event()
        self._gone = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._door, self._reading, self._entering, self._writing, self._finishing = (asyncio.Lock() for _ in range(5))
        self._lanes = Lanes()
        self._asked = 0
        if new_ones:
            metrics.WAITING.set_function(self._inbox.__len__)
        self._markers: dict[bytes, asyncio.Future[None]] = {}

    @property
    def is_subscribed(self) -> bool:
        return self._subscribed.is_set()

    async def run(self) -> None:
        """Serves until cancelled. Raises LeaseLost, in a group."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._client.run(asyncio.Event()), name="mqtt")
            group.create_task(self._keep_subscribed(), name="subscribe")
            for number in range(AT_ONCE):
                group.create_task(self._settle(), name=f"settle-{number}")

    async def pass_marker(self) -> None:
        """Returns when all that was dealt to this session until now is committed. Raises MqttError."""
        await self._subscribed.wait()
        self._asked += 1
        payload = f"{self._lease.holder}:{self._asked}".encode()
        passed = self._markers[payload] = asyncio.get_running_loop().create_future()
        try:
            while not passed.done():
                self._client.publish(self._marker, payload, self._asked)
                await asyncio.wait([passed], timeout=REPEAT_SECONDS)
            passed.result()
        finally:
            del self._markers[payload]

    async def leave(self) -> None:
        """Has no more dealt to it, takes what waits, and ends the session at the broker. Tries until it is done."""
        self._new_ones = False
        while True:
            try:
                await self._connected.wait()
                await self._client.subscribe(self._marker)
                await self._client.unsubscribe(self._shared)
                self._subscribed.set()
                await self.pass_marker()
                await self._client.disconnect(session_expiry=0)
            except MqttError as error:
                log.warning("leaving_disturbed", reason=str(error), ordinal=self._lease.ordinal)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def rest(self) -> None:
        """Leaves after the batches at hand; the session stays with the broker and goes on collecting reports."""
        async with self._reading, self._entering, self._writing, self._finishing:
            with suppress(ConnectionLost):
                await self._client.disconnect()

    # Called by the MQTT client:

    def connected(self, session_present: bool) -> None:
        log.info("session", ordinal=self._lease.ordinal, present=session_present)
        self._gone.clear()
        self._connected.set()

    def received(self, message: Received) -> None:
        self._inbox.put(message)
        if len(self._inbox) == self._most:
            self._client.pause_reading()

    def answered(self, token: int, reason_code: int) -> None:
        """Of a marker: one that reached nobody will not come back."""
        if reason_code != 0:
            self._forget(ConnectionLost(f"the broker answered marker {token} with reason {reason_code}"))

    def lost(self, tokens: list[int]) -> None:  # noqa: ARG002  the interface is the client's
        """What is not acknowledged comes again, so what is not taken yet can be dropped."""
        self._connected.clear()
        self._subscribed.clear()
        self._gone.set()
        self._inbox.clear()
        self._forget(ConnectionLost("the connection of the marker has gone"))

    def room(self) -> None:
        """Markers are too few to ever wait for room."""

    async def _options(self) -> MqttOptions:
        """Renews the lease before every connect: who lost it must not take the new holder's session away."""
        await insist(self._lease.renew)
        return MqttOptions(
            host=self._settings.mqtt_host,
            port=self._settings.mqtt_port,
            client_id=f"{self._settings.mqtt_group}-{self._lease.ordinal}",
            username=self._settings.mqtt_user,
            password=self._settings.mqtt_password,
            tls=self._settings.mqtt_tls,
            clean_start=False,
            session_expiry=SESSION_EXPIRY,
        )

    async def _keep_subscribed(self) -> None:
        """Subscribes after every connect, whatever the broker says to know."""
        while True:
            await self._connected.wait()
            if not self._new_ones:
                return
            try:
                await self._client.subscribe(self._shared, self._marker)
            except MqttError as error:
                log.warning("subscribe_failed", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._subscribed.set()
                await self._gone.wait()

    async def _settle(self) -> None:
        """Takes batch after batch through a door and four rooms, each of which has place for one.

        So one is read while the database writes the two before, and none overtakes: who has a room keeps it until it
        has the next.
        """
        while True:
            await self._door.acquire()
            batch = await self._inbox.batch()
            await self._step(self._door, self._reading)
            prepared = await self._read(batch)
            await self._step(self._reading, self._entering)
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._ingest.write(prepared, self._lanes))
                await self._step(self._entering, self._writing)
            await self._step(self._writing, self._finishing)
            await self._ingest.finish(writing.result())
            self._client.acknowledge(batch)
            self._pass(batch)
            self._finishing.release()

    @staticmethod
    async def _step(here: asyncio.Lock, there: asyncio.Lock) -> None:
        await there.acquire()
        here.release()

    async def _read(self, batch: list[Received]) -> Prepared:
        if len(self._inbox) < self._most:
            self._client.resume_reading()
        messages = [read_report(m.topic, m.payload) for m in batch if m.topic != self._marker]
        for status, number in Counter(kind(message.said) for message in messages).items():
            metrics.REPORTS.labels(status).inc(number)
        for field, number in Counter(chain.from_iterable(message.mended for message in messages)).items():
            metrics.MENDED.labels(field).inc(number)
        return await self._ingest.prepare(messages)

    def _pass(self, batch: list[Received]) -> None:
        for message in batch:
            passed = self._markers.get(message.payload) if message.topic == self._marker else None
            if passed is not None and not passed.done():
                passed.set_result(None)

    def _forget(self, error: ConnectionLost) -> None:
        for waiting in self._markers.values():
            if not waiting.done():
                waiting.set_exception(error)
