"""What the address of a firmware file is asked, and what its answer is taken for. Real servers, real connections."""

import asyncio
import re
import socket
import time
from ipaddress import ip_address, ip_network

import pytest

from catalog_svc.file_check import TOTAL_SECONDS, FileCheck, Finding
from catalog_svc.networks import may_ask
from catalog_svc.settings import CatalogSettings
from pulse.runtime import settings
from pulse.runtime.errors import StartRefused
from tests.catalog_svc.file_servers import Asked, FileServer, head, serving

SIZE = 1000
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.fixture(scope="module")
def files() -> FileCheck:
    """May ask this machine, as in the local stack."""
    return FileCheck(LOOPBACK)


def found(finding: Finding) -> tuple[bool | None, int | None, int | None, str | None]:
    return finding.reachable, finding.status, finding.size_bytes, finding.code


async def test_a_file_that_is_there_with_the_right_size_is_found_by_one_head(files: FileCheck) -> None:
    async with serving(lambda *_: head(200, Content_Length=SIZE)) as server:
        assert await files.ask(server.url("/a%20b?x=%2F"), SIZE) == Finding(reachable=True, status=200, size_bytes=SIZE)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.headers["host"]) == ("HEAD", "/a%20b?x=%2F", f"127.0.0.1:{server.port}")
    assert not {"authorization", "cookie"} & asked.headers.keys()


async def test_a_file_of_another_size_is_a_warning_that_says_both(files: FileCheck) -> None:
    async with serving(lambda *_: head(200, Content_Length=12_345)) as server:
        finding = await files.ask(server.url(), SIZE)
    assert found(finding) == (True, 200, 12_345, "size_mismatch")
    assert finding.warning == "the file there has 12,345 bytes, not 1,000"


@pytest.mark.parametrize("status", [401, 404, 410, 416, 500, 503, 302])
async def test_an_answer_that_is_not_the_file_is_told_with_its_status(files: FileCheck, status: int) -> None:
    async with serving(lambda *_: head(status, Content_Length=0)) as server:
        assert found(await files.ask(server.url(), SIZE)) == (False, status, None, "bad_status")


@pytest.mark.parametrize("refusal", [403, 405, 501])
async def test_where_head_is_refused_the_first_byte_is_asked_for(files: FileCheck, refusal: int) -> None:
    def answer(_: FileServer, asked: Asked) -> bytes:
        if asked.method == "HEAD":
            return head(refusal, Content_Length=0)
        return head(206, Content_Range=f"bytes 0-0/{SIZE}", Content_Length=1) + b"x"

    async with serving(answer) as server:
        assert found(await files.ask(server.url(), SIZE)) == (True, 206, SIZE, None)
    assert server.methods == ["HEAD", "GET"]
    assert server.asked[1].headers["range"] == "bytes=0-0"


async def test_where_head_names_no_size_the_first_byte_is_asked_for(files: FileCheck) -> None:
    def answer(_: FileServer, asked: Asked) -> bytes:
        return head(200) if asked.method == "HEAD" else head(200, Content_Length=SIZE) + b"x" * SIZE

    async with serving(answer) as server:
        assert found(await files.ask(server.url(), SIZE)) == (True, 200, SIZE, None)


async def test_a_file_sent_in_chunks_without_a_length_is_there_but_of_unknown_size(files: FileCheck) -> None:
    def answer(_: FileServer, asked: Asked) -> bytes:
        return head(405, Content_Length=0) if asked.method == "HEAD" else head(200, Transfer_Encoding="chunked")

    async with serving(answer, endless=b"1\r\nx\r\n") as server:
        assert found(await files.ask(server.url(), SIZE)) == (True, 200, None, "size_unknown")


async def test_a_body_without_end_is_not_read(files: FileCheck) -> None:
    def answer(_: FileServer, asked: Asked) -> bytes:
        return head(405, Content_Length=0) if asked.method == "HEAD" else head(200, Content_Length=10**15 - 1)

    async with serving(answer, endless=b"x" * 65_536) as server:
        began = time.monotonic()
        assert found(await files.ask(server.url(), SIZE)) == (True, 200, 10**15 - 1, "size_mismatch")
    assert time.monotonic() - began < 2
    assert server.sent < 16 * 1024 * 1024, "more went out than the buffers on the way hold"


async def test_a_server_that_does_not_answer_is_waited_for_three_seconds_in_all(files: FileCheck) -> None:
    async with serving(None) as server:
        began = time.monotonic()
        finding = await files.ask(server.url(), SIZE)
        assert TOTAL_SECONDS - 0.1 < time.monotonic() - began < TOTAL_SECONDS + 1
    assert (found(finding), finding.warning) == ((False, None, None, "unreachable"), "no answer within 3 s")


async def test_an_address_at_which_nobody_listens_is_unreachable(files: FileCheck) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        finding = await files.ask(f"http://127.0.0.1:{taken.getsockname()[1]}/f", SIZE)
    assert found(finding) == (False, None, None, "unreachable")
    assert finding.warning
    assert finding.warning.startswith("127.0.0.1 does not answer: ")


async def test_what_is_no_http_is_unreachable(files: FileCheck) -> None:
    async with serving(lambda *_: b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as server:
        assert found(await files.ask(server.url(), SIZE)) == (False, None, None, "unreachable")


async def test_a_server_without_the_promised_tls_is_unreachable(files: FileCheck) -> None:
    async with serving(lambda *_: head(200, Content_Length=SIZE)) as server:
        assert found(await files.ask(server.url().replace("http:", "https:"), SIZE))[3] == "unreachable"


async def test_a_redirect_is_followed_without_cookies_and_the_last_answer_counts(files: FileCheck) -> None:
    def answer(server: FileServer, asked: Asked) -> bytes:
        step = int(asked.path.removeprefix("/"))
        if step < 3:
            return head(302, Location=f"/{step + 1}", Set_Cookie="secret=1", Content_Length=0)
        return head(200, Content_Length=SIZE)

    async with serving(answer) as server:
        assert found(await files.ask(server.url("/0"), SIZE)) == (True, 200, SIZE, None)
    assert [asked.path for asked in server.asked] == ["/0", "/1", "/2", "/3"]
    assert not any("cookie" in asked.headers for asked in server.asked)


async def test_a_fourth_redirect_is_not_followed(files: FileCheck) -> None:
    async with serving(lambda *_: head(302, Location="/again", Content_Length=0)) as server:
        finding = await files.ask(server.url(), SIZE)
    assert (found(finding)[3], len(server.asked)) == ("bad_redirect", 4)


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://[::ffff:10.0.0.1]/", "http://[::1]/"],
)
async def test_a_redirect_into_the_own_network_is_not_followed(location: str) -> None:
    only_here = FileCheck((ip_network("127.0.0.1/32"),))
    async with serving(lambda *_: head(302, Location=location, Content_Length=0)) as server:
        finding = await only_here.ask(server.url(), SIZE)
    assert found(finding) == (None, None, None, "not_checked")


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://u:p@127.0.0.1/", "http://x:0/"])
async def test_a_redirect_to_what_is_no_address_is_not_followed(files: FileCheck, location: str) -> None:
    async with serving(lambda *_: head(302, Location=location, Content_Length=0)) as server:
        finding = await files.ask(server.url(), SIZE)
    assert (finding.reachable, finding.code) == (False, "bad_redirect")
    assert finding.warning
    assert finding.warning.startswith("the address that it redirects to must ")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
async def test_nothing_in_the_own_network_is_asked_unless_it_is_allowed(host: str) -> None:
    async with serving(lambda *_: head(200, Content_Length=SIZE)) as server:
        finding = await FileCheck(()).ask(server.url(host=host), SIZE)
    assert found(finding) == (None, None, None, "not_checked")
    assert finding.warning
    assert re.fullmatch(
        r"not checked: .* is in a network that is not asked; FILE_CHECK_NETWORKS names .*", finding.warning
    )
    assert server.asked == []


async def test_a_name_is_looked_up_once_and_the_connection_goes_where_that_said(
    files: FileCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers otherwise the second time leads nowhere else."""
    looked_up: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: int, **more: int) -> object:
        looked_up.append(host)
        return real("127.0.0.1" if looked_up.count(host) == 1 else "169.254.169.254", port, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    async with serving(lambda *_: head(405, Content_Length=0)) as server:
        finding = await files.ask(server.url(host="files.example.com"), SIZE)
    assert (finding.status, server.methods) == (405, ["HEAD", "GET"])
    assert {asked.headers["host"] for asked in server.asked} == {f"files.example.com:{server.port}"}
    assert looked_up.count("files.example.com") == 1


async def test_of_a_name_with_several_addresses_the_first_that_takes_a_connection_answers(
    files: FileCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(lambda *_: head(200, Content_Length=SIZE)) as server:
        answers = [(2, 1, 6, "", (ip, server.port)) for ip in ("127.0.0.9", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        assert found(await files.ask(server.url(host="two.example.com"), SIZE)) == (True, 200, SIZE, None)


async def test_a_name_that_has_one_address_in_the_own_network_is_not_asked_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [(2, 1, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    assert found(await FileCheck(()).ask("http://mixed.example.com/f", SIZE)) == (None, None, None, "not_checked")


async def test_a_name_without_an_address_is_unreachable(files: FileCheck, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    finding = await files.ask("http://nowhere.example.com/f", SIZE)
    assert finding.warning == "nowhere.example.com has no address: Name or service not known"


async def test_a_name_server_that_hangs_is_waited_for_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(4))
    began = time.monotonic()
    assert found(await FileCheck(LOOPBACK).ask("http://slow.example.com/f", SIZE))[3] == "unreachable"
    assert time.monotonic() - began < TOTAL_SECONDS + 0.8


async def test_an_address_kept_by_older_rules_is_told_which_one_it_breaks(files: FileCheck) -> None:
    finding = await files.ask("http://x:99999/f", SIZE)
    assert (finding.code, finding.warning) == (
        "unreachable",
        "the address must have a port from 1 to 65535 after the colon",
    )


async def test_switched_off_it_asks_nobody() -> None:
    async with serving(lambda *_: head(200, Content_Length=SIZE)) as server:
        finding = await FileCheck(None).ask(server.url(), SIZE)
    assert (found(finding)[3], finding.warning, server.asked) == ("not_checked", "not checked: FILE_CHECK is off", [])


async def test_at_most_eight_are_asked_at_a_time_and_the_next_is_told_to_come_again() -> None:
    files = FileCheck(LOOPBACK)
    async with serving(None) as server:
        findings = await asyncio.gather(*(files.ask(server.url(), SIZE) for _ in range(9)))
    assert [finding.code for finding in findings].count("not_checked") == 1
    assert len(server.asked) == 8


@pytest.mark.parametrize(
    ("ip", "may"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("192.0.2.1", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("2001:db8::1", False),
        ("fd00:ec2::254", False),
    ],
)
def test_only_public_addresses_are_asked(ip: str, may: bool) -> None:
    assert may_ask(ip_address(ip), ()) is may


def test_networks_of_ones_own_are_asked_where_they_are_named() -> None:
    allowed = (ip_network("10.20.0.0/16"), ip_network("fd00::/8"))
    assert [may_ask(ip_address(ip), allowed) for ip in ("10.20.3.4", "::ffff:10.20.3.4", "fd00::1")] == [True] * 3
    assert not may_ask(ip_address("10.21.0.1"), allowed)


def test_the_settings_name_networks_with_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_DSN", "postgresql://localhost/any")
    monkeypatch.setenv("AUTH_JWKS_URL", "https://id.example.com/jwks")
    monkeypatch.setenv("AUTH_ISSUER", "https://id.example.com")
    assert settings.load(CatalogSettings).file_check_networks == ()
    monkeypatch.setenv("FILE_CHECK_NETWORKS", "10.20.0.0/16, fd00::/8")
    monkeypatch.setenv("FILE_CHECK", "off")
    loaded = settings.load(CatalogSettings)
    assert loaded.file_check_networks == (ip_network("10.20.0.0/16"), ip_network("fd00::/8"))
    assert loaded.file_check is False
    monkeypatch.setenv("FILE_CHECK_NETWORKS", "10.20.0.1/16")
    with pytest.raises(StartRefused, match=r"^settings: FILE_CHECK_NETWORKS: .*has host bits set"):
        settings.load(CatalogSettings)
