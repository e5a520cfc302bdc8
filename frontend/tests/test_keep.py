"""The route that gives a browser its cookie."""

from __future__ import annotations

import asyncio
import json
from http.cookies import SimpleCookie

import pytest
from starlette.requests import Request
from starlette.responses import Response

from frontend import keep
from frontend.logins import LOGGED_IN, Login

JSON = {"content-type": "application/json", "sec-fetch-site": "same-origin"}


def ticket() -> tuple[Login, str]:
    """Somebody who has just logged in."""
    login = Login({"access_token": "a", "refresh_token": "r"})
    return login, LOGGED_IN.add(login)


def send(body: bytes, headers: dict[str, str], scheme: str = "http") -> Response:
    """One request, in two parts."""
    parts = [body[:5], body[5:]]

    async def receive() -> dict:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": scheme,
        "path": "/session",
        "query_string": b"",
        "server": ("pages.example", 80),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    return asyncio.run(keep.change(Request(scope, receive)))


def cookie(answer: Response) -> SimpleCookie:
    """What the browser is to keep."""
    return SimpleCookie(answer.headers.get("set-cookie", ""))


def test_a_ticket_becomes_a_cookie_once():
    login, one = ticket()
    body = json.dumps({"ticket": one}).encode()
    answer = send(body, JSON)
    assert answer.status_code == 204
    kept = cookie(answer)[keep.COOKIE]
    assert kept["httponly"] and kept["samesite"] == "strict" and kept["path"] == "/"
    assert not kept["secure"]
    assert LOGGED_IN.find(kept.value) is login
    # Neither the ticket nor a token is in it.
    assert kept.value not in (one, "a", "r")
    again = send(body, JSON)
    assert again.status_code == 400 and not cookie(again)


@pytest.mark.parametrize("headers", [{"x-forwarded-proto": "https"}, {}])
def test_behind_https_it_is_for_https_only(headers):
    _, one = ticket()
    scheme = "http" if headers else "https"
    answer = send(json.dumps({"ticket": one}).encode(), JSON | headers, scheme)
    assert cookie(answer)[keep.COOKIE]["secure"]


@pytest.mark.parametrize(
    "headers",
    [
        JSON | {"sec-fetch-site": "cross-site"},
        JSON | {"sec-fetch-site": "same-site"},
        # What a form of another site can send without asking.
        JSON | {"content-type": "text/plain"},
        {},
    ],
)
def test_another_site_logs_nobody_in(headers):
    _, one = ticket()
    answer = send(json.dumps({"ticket": one}).encode(), headers)
    assert answer.status_code == 400 and not cookie(answer)
    # And the ticket is still good for its own page.
    assert LOGGED_IN.take(one)


@pytest.mark.parametrize(
    "body", [b"", b"nothing", b"[]", b'{"ticket": 1}', b'{"ticket": "made up"}', b" " * 2000]
)
def test_nonsense_gets_nothing(body):
    answer = send(body, JSON)
    assert answer.status_code == 400 and not cookie(answer)
