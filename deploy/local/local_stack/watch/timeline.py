"""What happened to a campaign, in words: when, what, by whom or which rule, why, and what was counted."""

from datetime import datetime

from local_stack.api import Json

TOLD_ALREADY = frozenset({"code", "e_value", "gate", "withdrawn_by", "withdrawn_at", "withdrawn_reason"})
"""Facts that the words of the entry hold, too."""


def line(entry: Json) -> str:
    """One entry; the time of day is this machine's."""
    at = datetime.fromisoformat(entry["at"]).astimezone()
    told = f"{at:%H:%M:%S}  {_event(entry)} by {_who(entry)}"
    return " · ".join(text for text in (told, entry["reason"], _counted(entry)) if text)


def _event(entry: Json) -> str:
    if entry["event"] == "approved" and entry["detail"].get("gate"):
        return "gate opened before it was reached"
    return str(entry["event"]).replace("_", " ")


def _who(entry: Json) -> str:
    rule = entry["detail"].get("code")
    return str(entry["by"] or (f"rule {rule}" if rule else "the system"))


def _counted(entry: Json) -> str:
    facts = {name: value for name, value in entry["detail"].items() if name not in TOLD_ALREADY}
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return " and ".join(f"{number} {name.replace('_', ' ')}" for name, number in value.items()) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
