"""Links to an event, as mails and people have them: `/?event=<id>`.

They lead to the page of that event before anything is drawn. Were it drawn at their own
address, that of the list, every way back to the list would be the event again; and were the
browser sent on by the page, "back" would lead to the link, which sends it on again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from starlette.responses import RedirectResponse

from frontend.keep import base

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class EventLinks:
    """Sends them on; everything else passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        target = leads_to(scope)
        await (RedirectResponse(target) if target else self._app)(scope, receive, send)


def leads_to(scope: Scope) -> str | None:
    """Where a link to an event leads; nothing for any other request."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return None
    if scope["path"].rstrip("/") != base():
        return None
    found = parse_qs(scope["query_string"].decode("latin-1")).get("event")
    return f"{base()}/event?{urlencode({'event': found[0]})}" if found else None
