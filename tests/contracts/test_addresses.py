"""An address is taken if every client reads it alike, and refused with the rule that it breaks."""

from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.contracts.addresses import web_address
from pulse.runtime.errors import StartRefused
from pulse.runtime.tracing import Traces


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://files.example.com/gw2-2.1.0.bin", "https://files.example.com/gw2-2.1.0.bin"),
        ("HTTPS://Files.Example.COM/Gw2.BIN?X=Y", "https://files.example.com/Gw2.BIN?X=Y"),
        ("Http://files", "http://files"),
        ("http://files?x", "http://files?x"),
        ("http://10.0.0.1:1/x", "http://10.0.0.1:1/x"),
        ("http://[2001:DB8::1]:65535/x", "http://[2001:db8::1]:65535/x"),
        ("http://files.example.com.:8080/a//b/%20c;d=1,2?a=%2F&b=@:/", None),
        ("http://xn--bcher-kva.example/f", None),
        ("http://my_bucket.s3.example.com/f?X-Amz-Signature=ab%2Fcd", None),
        ("http://1st.example.com/f", None),
        ("https://h/" + "a" * 1990, None),
    ],
)
def test_scheme_and_host_are_kept_in_lower_case_and_all_else_as_it_was_written(given: str, kept: str | None) -> None:
    assert web_address(given) == (kept or given)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ("", "http:// or https://"),
        ("files.example.com/f", "http:// or https://"),
        ("ftp://x/y", "http:// or https://"),
        ("https:/x/y", "http:// or https://"),
        ("https:x", "http:// or https://"),
        ("https:///y", "name a host"),
        ("http://:80/f", "name a host"),
        ("http://?x", "name a host"),
        ("http://x:99999/f", "port from 1 to 65535"),
        ("http://x:65536/f", "port from 1 to 65535"),
        ("http://x:0/f", "port from 1 to 65535"),
        ("http://x:abc/f", "port from 1 to 65535"),
        ("http://x:/f", "port from 1 to 65535"),
        ("http://x:-1/f", "port from 1 to 65535"),
        ("http://x:٣/f", "port from 1 to 65535"),
        ("http://x:1:2/f", "in brackets"),
        ("http://2001:db8::1/f", "in brackets"),
        ("http://[::1/f", "in brackets"),
        ("http://::1]/f", "in brackets"),
        ("http://a[::1]/f", "in brackets"),
        ("http://[x]/f", "IPv6"),
        ("http://[fe80::1%25eth0]/f", "IPv6"),
        ("http://[fe80::1%eth0]/f", "IPv6"),
        ("http://[]/f", "IPv6"),
        ("http://user:secret@x/f", "no user and no password"),
        ("http://user@x/f", "no user and no password"),
        ("http://x/f#part", "before the #"),
        ("http://x#", "before the #"),
        ("http://x/a b", "spaces"),
        (" http://x/a", "spaces"),
        ("http://x/a\n", "control characters"),
        ("http://x/a\x85", "control characters"),
        ("http://x/a%00b", "not as %00"),
        ("http://x/a%0d%0aSet-Cookie:x", "not as %00"),
        ("http://x/a?b=%7f", "not as %00"),
        ("http://x/100%", "two hexadecimal digits"),
        ("http://x/%zz", "two hexadecimal digits"),
        ("http://bücher.example/f", "punycode"),
        ("http://xn--\u00fc/f", "punycode"),
        ("http://xn--!/f", "letters, digits"),
        ("http://xn--99999999999/f", "punycode"),
        ("http://a..b/f", "letters, digits"),
        ("http://a%2eb/f", "letters, digits"),
        ("http://a\\b/f", "letters, digits"),
        ("http://127.1/f", "four numbers"),
        ("http://2130706433/f", "four numbers"),
        ("http://0x7f000001/f", "four numbers"),
        ("http://1.2.3.256/f", "four numbers"),
        ("http://0177.0.0.1/f", "four numbers"),
        ("http://x/ü.bin", "%C3%BC"),
        ("http://x/a[1].bin", "%5B"),
        ("http://x/a\\b", "%5C"),
        ("http://x/{v}", "%7B"),
        ("http://x/\ud800", "written as"),
        ("http://x/a/../b", "no . or .."),
        ("http://x/./b", "no . or .."),
        ("http://x/a/%2E%2e/b", "no . or .."),
        ("http://x/" + "a" * 1992, "at most 2000"),
    ],
)
def test_an_address_that_not_every_client_can_read_is_refused_with_the_rule(wrong: str, rule: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refused:
        web_address(wrong)
    assert rule in str(refused.value)


PIECES = [
    *("http", "HTTPS", "ftp", "://", ":", "/", "//", "\\", "?", "#", "@", "[", "]", "::1", "%", "%00", "%2e", "%41"),
    *("..", ".", "x", "X.y", "xn--bcher-kva", "xn--", "ü", "80", "0x7f", "127.0.0.1", "65536", " ", "\t", "&a=b", ";"),
    *("+", "~", "|", "user", "\u2028", "\u3002", "\uff0e", "-", "_", "%zz", "%C3%BC", "'"),
]
ANYTHING = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=10).map("".join)
LIKELY = st.tuples(st.sampled_from(["http://", "https://", "HTTP://"]), ANYTHING).map("".join)


@given(st.one_of(LIKELY, ANYTHING))
def test_whatever_is_accepted_is_read_alike_by_the_clients(text: str) -> None:
    try:
        address = web_address(text)
    except ValueError:
        return
    plain, other = urlsplit(address), httpx.URL(address)
    usual = {"http": 80, "https": 443}[plain.scheme]
    assert web_address(address) == address
    assert (plain.username, plain.password, plain.fragment) == (None, None, "")
    assert (other.userinfo, other.fragment) == (b"", "")
    assert other.scheme == plain.scheme
    assert other.raw_host.decode() == plain.hostname
    assert plain.hostname
    assert (other.port or usual) == (plain.port or usual)
    assert other.path == (unquote(plain.path) or "/")
    assert parse_qsl(other.query.decode(), keep_blank_values=True) == parse_qsl(plain.query, keep_blank_values=True)
    assert other.host


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_an_endpoint_for_traces_that_nobody_can_read_is_refused_at_the_start(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://collector:99999")
    with pytest.raises(StartRefused, match=f"^setting {name}: must have a port from 1 to 65535"):
        Traces().configure("catalog-svc")
