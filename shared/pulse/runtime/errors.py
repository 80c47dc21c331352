"""Refusals that a caller can act on: each class has its HTTP status and a stable code."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: its name (dotted for nested ones), a stable code, a sentence."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class LineError(FieldError):
    """The same, in a line of a file (the first is 1)."""

    line: int


class FieldFault(ValueError):
    """For validators that look at several fields at once: the one that has to change (dotted), and the rule.

    pydantic knows only where the whole model is; the problem's `field` is this one within it.
    """

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(rule)
        self.field = field


class OtaError(Exception):
    """A refusal. `detail` is a sentence for a person; `errors` names the fields, where there are any."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, field: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions: dict[str, int] = {}
        """Further members of the problem (RFC 9457)."""
        self.errors = errors or ((FieldError(field, self.code, detail),) if field else ())


class Unreadable(OtaError):
    """The body is not JSON, or the request breaks HTTP's own rules."""

    status, code, title = 400, "unreadable", "The request cannot be read"


class Unauthenticated(OtaError):
    """There is no bearer token, or it is not valid (any more): signature, expiry, audience, issuer, claims."""

    status, code, title = 401, "unauthenticated", "A valid bearer token is needed"


class Forbidden(OtaError):
    """The token has none of the roles that this needs."""

    status, code, title = 403, "forbidden", "The token's roles do not allow this"


class NotFound(OtaError):
    """There is no such thing, or it is another tenant's."""

    status, code, title = 404, "not_found", "There is no such thing"


class Conflict(OtaError):
    """The request does not fit the present state."""

    status, code, title = 409, "conflict", "The request does not fit the present state"


class TooLarge(OtaError):
    """The body is larger than this takes."""

    status, code, title = 413, "too_large", "The request body is too large"


class UnsupportedMediaType(OtaError):
    """The body is of another media type than this takes."""

    status, code, title = 415, "unsupported_media_type", "The request body is of another type"


class Invalid(OtaError):
    """A field or parameter is not as it must be; `errors` names each with the rule."""

    status, code, title = 422, "invalid", "A field is not as it must be"


class TooManyRequests(OtaError):
    """More requests than the tenant or the token may make; try again after `Retry-After` seconds.

    `wait` is this number of whole seconds.
    """

    status, code, title = 429, "rate_limited", "Too many requests"

    def __init__(self, wait: int) -> None:
        super().__init__(f"more requests than the rate allows; try again in {wait} s")
        self.wait = wait


class Unavailable(OtaError):
    """A part that is needed does not answer; try again."""

    status, code, title = 503, "unavailable", "A part that is needed does not answer"


class Replay(Exception):
    """The request was done before: this is what it was answered (`answer` is JSON)."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(status)
        self.status = status
        self.answer = answer


class StartRefused(Exception):
    """A process must not start as things are; the message is the one line that says why."""


class Unanswered(Exception):
    """A part does not answer a readiness check, and the message says why; it must hold no secret."""
