"""How a browser is known again after a reload.

A page of Streamlit cannot set a cookie, and a cookie set by a script could be read by every
other script. So the page gets a ticket, good once and for a minute; a few lines of JavaScript
send it to the route below, and the answer sets a cookie that scripts cannot read, with a fresh
id. The id means something in this process only; tokens stay here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st
from starlette.responses import Response
from starlette.routing import Route
from streamlit.components.v2 import component

from frontend.logins import IDLE_S, LOGGED_IN

if TYPE_CHECKING:
    from starlette.requests import Request

COOKIE = "eventflow_session"
# Bytes of a request with a ticket.
BODY = 1_024

_SEND = """
export default function ({ data, setTriggerValue }) {
  if (!data || window.eventflowTicket === data.ticket) return;
  window.eventflowTicket = data.ticket;
  fetch(data.path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ticket: data.ticket }),
  }).finally(() => setTriggerValue("sent", true));
}
"""

# The page's own words to the browser; nothing that people wrote ever gets in here.
_MOUNT = component("eventflow_keep", js=_SEND)


def base() -> str:
    """The path below which the pages are, without a slash at its end."""
    words = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{words}" if words else ""


def path() -> str:
    """Where tickets are changed."""
    return f"{base()}/session"


def routes() -> list[Route]:
    """For the app."""
    return [Route(path(), change, methods=["POST"])]


async def change(request: Request) -> Response:
    """A cookie for a ticket."""
    ticket = await _ticket(request)
    name = LOGGED_IN.take(ticket) if ticket else None
    if name is None:
        return Response(status_code=400)
    answer = Response(status_code=204)
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    answer.set_cookie(
        COOKIE,
        name,
        max_age=IDLE_S,
        path=f"{base()}/",
        secure=scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


async def _ticket(request: Request) -> str | None:
    """The ticket in a request of our own page: no other site may log somebody in here."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return None
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY:
            return None
    try:
        ticket = json.loads(body).get("ticket")
    except (ValueError, AttributeError):
        return None
    return ticket if isinstance(ticket, str) else None


def send(ticket: str, sent: object) -> None:
    """Lets the browser change `ticket` for its cookie; then `sent` is called."""
    _MOUNT(key="keep", data={"ticket": ticket, "path": path()}, on_sent_change=sent, height=1)
