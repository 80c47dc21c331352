"""Commands to a fleet without any service behind them: one to each device, paced; its reports are counted."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from fleetsim.connection import Account, Broker, LinkLostError, Login
from fleetsim.options import SendOptions
from fleetsim.wire import Report, command_topic, report_topic
from pulse.runtime.mqtt import MqttOptions, Received
from pulse.runtime.mqtt.connection import Connection

WINDOW = 500
QUIET_LOOKS = 10
"""So many looks, a second each, without a report in between are silence."""
REFUSED = 128
"""Reason codes from here up are refusals."""
GOOD_FOR = timedelta(hours=1)
_reports = msgspec.json.Decoder(Report)


@dataclass(frozen=True, slots=True)
class Update:
    """What to command: `size` in bytes, `checksum` SHA-256 in hex."""

    campaign_id: int
    version: str
    url: str
    size: int
    checksum: str

    def command(self) -> bytes:
        """Issued now, good for an hour."""
        now = datetime.now(UTC)
        times = {"issued_at": _text(now), "expires_at": _text(now + GOOD_FOR)}
        named = {"type": "ota_update", "campaign_id": self.campaign_id, "attempt": 1, "version": self.version}
        file = {"firmware_url": self.url, "size": self.size, "checksum": self.checksum}
        return msgspec.json.encode(named | file | times)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(slots=True)
class Result:
    """`taken`: commands that a device was there for; `absent`: without (16); `refused`: 128 and above.

    `reports` by status, presence as `presence`; `ended`: devices that said SUCCESS or FAILED. Seconds: until the last
    command was answered, and until the last device ended.
    """

    taken: int = 0
    absent: int = 0
    refused: int = 0
    reports: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    seconds_to_send: float = 0.0
    seconds_to_end: float = 0.0


class Sender:
    """Sends at `rate` commands a second (None: as fast as the broker takes them) and listens to the reports."""

    def __init__(self, accounts: Sequence[Account], update: Update, rate: float | None) -> None:
        self.result = Result()
        self._accounts, self._update, self._rate = accounts, update, rate
        self._connection: Connection[None] | None = None
        self._unanswered = 0
        self._ended: set[str] = set()
        self._started = self._heard_at = 0.0
        self._room = asyncio.Event()

    async def run(self, broker: Broker, login: Login) -> Result:
        """Until every device that took its command has ended, or nothing was heard for 10 s.

        Raises MqttError or OSError when there is no connection, LinkLostError when it is lost on the way.
        """
        options = MqttOptions(
            host=broker.host,
            port=broker.port,
            client_id=f"fleetsim-send-{secrets.token_hex(4)}",
            username=login.user,
            password=login.password,
            tls=broker.tls,
            keep_alive=broker.keepalive,
            window=WINDOW,
        )
        connection = self._connection = Connection(options, 1, self)
        await connection.open()
        try:
            tenants = sorted({account.tenant_id for account in self._accounts})
            await connection.subscribe([report_topic(tenant, "+") for tenant in tenants])
            await self._send(connection)
            await self._listen(connection)
        finally:
            if connection.is_open:
                await connection.leave(None)
            connection.abandon()
        return self.result

    async def _send(self, connection: Connection[None]) -> None:
        loop = asyncio.get_running_loop()
        self._started = self._heard_at = loop.time()
        for number, account in enumerate(self._accounts):
            if self._rate is not None and (early := self._started + number / self._rate - loop.time()) > 0:
                await asyncio.sleep(early)
            while connection.free <= 0:
                await self._until_room(connection)
            topic = command_topic(account.tenant_id, account.device_id)
            connection.publish(topic, self._update.command(), None, None, ())
            self._unanswered += 1
        while self._unanswered:
            await self._until_room(connection)
        self.result.seconds_to_send = loop.time() - self._started

    async def _until_room(self, connection: Connection[None]) -> None:
        """Wait for an answer, a second at most; raises LinkLostError without a connection."""
        if not connection.is_open:
            raise LinkLostError("the connection to the broker was lost")
        self._room.clear()
        try:
            async with asyncio.timeout(1):
                await self._room.wait()
        except TimeoutError:
            return

    async def _listen(self, connection: Connection[None]) -> None:
        """Looks are counted, not seconds: time that this process spent stopped is not the devices' silence."""
        heard, quiet = -1, 0
        while self.result.ended < self.result.taken and quiet < QUIET_LOOKS:
            await self._until_room(connection)
            quiet = quiet + 1 if self.result.reports.total() == heard else 0
            heard = self.result.reports.total()

    # What the connection calls:

    def connected(self, session_present: bool) -> None:
        """Nothing waits for it."""

    def received(self, message: Received) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        try:
            report = _reports.decode(message.payload)
        except msgspec.DecodeError:
            self.result.reports["unreadable"] += 1
        else:
            self._count(message.topic, report)
        if self._connection is not None:
            self._connection.acknowledge([message])

    def _count(self, topic: str, report: Report) -> None:
        self.result.reports[report.status or "presence"] += 1
        is_ours = report.campaign_id == self._update.campaign_id
        if is_ours and report.status in ("SUCCESS", "FAILED") and topic not in self._ended:
            self._ended.add(topic)
            self.result.ended = len(self._ended)
            self.result.seconds_to_end = self._heard_at - self._started
            self._room.set()

    def answered(self, token: None, reason_code: int) -> None:  # noqa: ARG002  publishes are not told apart
        self._unanswered -= 1
        if reason_code == 0:
            self.result.taken += 1
        elif reason_code < REFUSED:
            self.result.absent += 1
        else:
            self.result.refused += 1
        self._room.set()

    def lost(self, tokens: list[None]) -> None:
        self._unanswered -= len(tokens)
        self._room.set()

    def room(self) -> None:
        self._room.set()


async def send_to(options: SendOptions) -> int:
    """Do what the options say and print the counts; returns the exit code.

    Raises OptionsError, MqttError, OSError, LinkLostError.
    """
    options.check()
    update = Update(options.campaign, options.to_version, options.url, options.size, options.checksum)
    sender = Sender(options.accounts(""), update, options.rate or None)
    result = await sender.run(options.broker(), options.login())
    print(told(result))
    return 0


def told(result: Result) -> str:
    """The counts in two lines."""
    sent = result.taken + result.absent + result.refused
    reports = ", ".join(f"{number} {status}" for status, number in sorted(result.reports.items())) or "none"
    return (
        f"commands: {sent} in {result.seconds_to_send:.1f} s ({_rate(sent, result.seconds_to_send)}), "
        f"{result.absent} devices were not there, {result.refused} refused\n"
        f"ended: {result.ended} of {result.taken} devices in {result.seconds_to_end:.1f} s "
        f"({_rate(result.ended, result.seconds_to_end)}); reports: {reports}"
    )


def _rate(number: int, seconds: float) -> str:
    return f"{number / seconds:.0f}/s" if seconds > 0 else "at once"
