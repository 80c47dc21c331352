"""Watch a campaign of the local stack, or behind any gateway, until it is finished."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from local_stack import stack_env, tokens
from local_stack.api import NotThere, connected
from local_stack.errors import StackError
from local_stack.watch.follow import follow, until
from local_stack.watch.show import show
from local_stack.watch.view import summary

ANSWER_SECONDS = 3.0
"""A gateway that takes longer is shown as lost."""
TOKEN_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the campaign is, and the right to see it; `tenant`: on the local stack. None: elsewhere."""

    url: str
    token: str
    tenant: str | None

    @property
    def outside(self) -> bool:
        return self.tenant is None

    def lacks(self, campaign_id: int) -> StackError:
        """What to say when the campaign is not there."""
        if self.tenant is None:
            return StackError(f"there is no campaign {campaign_id} that this token may see")
        hint = f"`make watch CAMPAIGN={campaign_id} TENANT=acme` looks for another tenant's"
        return StackError(f"tenant {self.tenant} has no campaign {campaign_id}; {hint}")


def place(run_dir: Path, tenant: str, url: str | None, token: str | None) -> Place:
    """What was given; for the rest the local stack's, with a viewer's token for `tenant`. Raises StackError."""
    if url and not token:
        raise StackError("a gateway given by --url needs a bearer token too: --token, or TOKEN in the environment")
    if url and token:
        return Place(url, token, None)
    addresses = stack_env.read(run_dir)
    made = token or tokens.make(Path(addresses["AUTH_KEY_FILE"]), tenant, "viewer", "watch", TOKEN_SECONDS)
    return Place(addresses["GATEWAY_URL"], made, None if token else tenant)


async def watch(at: Place, campaign_id: int, console: Console, *, forever: bool) -> None:
    """Shows the campaign until every device is settled, or with `forever` until it is cancelled. Raises StackError."""
    async with connected(at.url, at.token, timeout=ANSWER_SECONDS, proxies=at.outside) as api:
        watching = follow(api, campaign_id)
        if not forever:
            watching = until(lambda reading: reading.is_settled, watching)
        try:
            console.print(summary(await show(watching, console)))
        except NotThere as error:
            raise at.lacks(campaign_id) from error
