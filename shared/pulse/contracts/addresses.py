"""Addresses of files and servers (http, https): read once, by rules under which every client reads them alike."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote, unquote

import idna
from pydantic import AfterValidator, StringConstraints

LONGEST_ADDRESS = 2000
AddressWarningCode: TypeAlias = Literal[
    "not_checked", "unreachable", "bad_redirect", "bad_status", "size_unknown", "size_mismatch"
]
"""What may be wrong with the address of a firmware file, found by asking it."""
NEVER_ASKED: tuple[AddressWarningCode, str] = ("not_checked", "not checked: nobody has asked this address yet")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_ADDRESS = re.compile(
    r"(?P<scheme>[^:/?#]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.DOTALL
)
_AUTHORITY = re.compile(r"(\[(?P<v6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(:(?P<port>[^:\[\]]*))?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_UNWRITTEN = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%]")
_HALF_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_CONTROL = re.compile(r"%([01][0-9A-Fa-f]|7[Ff])")


def is_host(text: str) -> bool:
    """True for a host's name (labels of letters, digits, - and _) and for an IP address, without brackets."""
    if ":" not in text:
        return len(text) <= 253 and _NAME.fullmatch(text) is not None
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def is_port(text: str) -> bool:
    """True for a port to connect to: 1 to 65535, in digits."""
    return _PORT.fullmatch(text) is not None and int(text) <= 65_535


def web_address(text: str) -> str:
    """The address with scheme and host in lower case; nothing else of it changes.

    Raises ValueError, whose words name the rule that it breaks.
    """
    broken = next(_broken(text), None)
    if broken:
        raise ValueError(broken)
    scheme, rest = text.split("://", 1)
    end = re.search(r"[/?]|$", rest)
    authority = rest[: end.start()] if end else rest
    return f"{scheme.lower()}://{authority.lower()}{rest[len(authority) :]}"


def secure_address(text: str) -> str:
    """The same, with https only. Raises ValueError."""
    address = web_address(text)
    if not address.startswith("https://"):
        raise ValueError("must begin with https://")
    return address


def _broken(text: str) -> Iterator[str]:
    """The rules that `text` breaks, the first one first."""
    if len(text) > LONGEST_ADDRESS:
        yield f"must have at most {LONGEST_ADDRESS} characters"
    if any(sign <= " " or "\x7f" <= sign <= "\x9f" for sign in text):
        yield "must hold no spaces and no control characters"
    parts = _ADDRESS.fullmatch(text)
    if parts is None or parts["scheme"].lower() not in ("http", "https"):
        yield "must begin with http:// or https://"
        return
    yield from _broken_authority(parts["authority"])
    if parts["fragment"]:
        yield "must end before the #: no client sends what follows it"
    yield from _broken_path(parts["path"], parts["query"] or "")


def _broken_authority(authority: str) -> Iterator[str]:
    if "@" in authority:
        yield "must hold no user and no password: whoever sees the address would see them"
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        yield "must have an IPv6 address in brackets, as in http://[2001:db8::1]/, and no other brackets or colons"
        return
    if parts["port"] is not None and not is_port(parts["port"]):
        yield "must have a port from 1 to 65535 after the colon"
    if parts["v6"] is not None:
        if ":" not in parts["v6"] or not is_host(parts["v6"]):
            yield "must have an IPv6 address, without a zone, in the brackets"
    else:
        yield from _broken_name(parts["name"])


def _broken_name(name: str) -> Iterator[str]:
    if not name:
        yield "must name a host"
    elif not name.isascii():
        yield "must have its host in punycode (xn--…): not every device can read other letters there"
    elif not is_host(name):
        yield "must have a host of letters, digits, - and _ with dots between"
    elif _ends_in_a_number(name) and not _is_ipv4(name):
        yield "must have an IPv4 address of four numbers from 0 to 255: its host ends in a number"
    elif not all(map(_is_decodable, name.lower().split("."))):
        yield "must have a host whose xn-- parts are punycode"


def _ends_in_a_number(name: str) -> bool:
    """Clients take such a host for an IPv4 address, each in its own way: 127.1, 0x7f000001, 2130706433."""
    return re.search(r"(^|\.)([0-9]+|0[xX][0-9A-Fa-f]*)\.?$", name) is not None


def _is_ipv4(name: str) -> bool:
    try:
        IPv4Address(name)
    except ValueError:
        return False
    return True


def _is_decodable(label: str) -> bool:
    try:
        return not label.startswith("xn--") or bool(idna.decode(label))
    except idna.IDNAError:
        return False


def _broken_path(path: str, query: str) -> Iterator[str]:
    foreign = _UNWRITTEN.search(path + query)
    if foreign:
        yield f"must have {foreign[0]!r} written as {quote(foreign[0], safe='', errors='replace')}"
    if _HALF_ENCODED.search(path + query):
        yield "must have two hexadecimal digits after each %"
    if _ENCODED_CONTROL.search(path + query):
        yield "must hold no control characters, not as %00 to %1F or %7F either"
    if {".", ".."} & set(unquote(path).split("/")):
        yield "must have no . or .. between slashes: clients shorten such a path, each in its own way"


WebAddress = Annotated[str, StringConstraints(max_length=LONGEST_ADDRESS), AfterValidator(web_address)]
"""An address with http or https, in a request or a setting."""
SecureAddress = Annotated[str, StringConstraints(max_length=LONGEST_ADDRESS), AfterValidator(secure_address)]
"""An address with https."""
