"""Windows of a real browser: how one comes to a page, and what it does while it is left open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from frontend.tests.people import PASSWORD, Person

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds for one call.
CALL_S = 20


class Organizer:
    """Somebody who organizes events without these pages."""

    def __init__(self, api: str) -> None:
        self._api, self._head = api, {}
        account = {"username": "olga", "email": "olga@example.org", "password": PASSWORD}
        self._call("POST", "/auth/register", account)
        pair = self._call("POST", "/auth/login", {"username": "olga", "password": PASSWORD})
        self._head = {"authorization": f"Bearer {pair['access_token']}"}

    def _call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = requests.request(
            method, self._api + path, json=body, headers=self._head, timeout=CALL_S
        )
        assert answer.ok, answer.text
        return answer.json()

    def makes(self, title: str, **fields: Any) -> dict[str, Any]:
        """A new event, in a month."""
        start = datetime.now(UTC) + timedelta(days=30)
        body = {
            "title": title,
            "description": "",
            "location": "Bern",
            "capacity": 5,
            "price": 0,
            "start_time": start.isoformat(),
            "end_time": (start + timedelta(hours=2)).isoformat(),
        }
        return self._call("POST", "/events", body | fields)

    def changes(self, made: dict[str, Any], **fields: Any) -> None:
        """Another time, or no sales."""
        self._call("PATCH", f"/events/{made['id']}", fields)


@pytest.fixture
def olga(api: str) -> Organizer:
    """An organizer at the EventFlow that the pages show."""
    return Organizer(api)


def searches(who: Person, words: str) -> None:
    """In the list of events."""
    field = who.page.get_by_placeholder("Search title, text and place")
    field.fill(words)
    field.press("Enter")


def test_from_a_link_one_gets_to_the_list_and_stays_there(
    somebody: Callable[[str], Person], olga: Organizer
) -> None:
    tea = olga.makes("Tea")
    olga.makes("Coffee")
    ada = somebody("ada")
    ada.visit("/login")
    ada.visit(f"/?event={tea['id']}")
    ada.heading("Tea")
    ways = (
        lambda: ada.page.get_by_role("link", name="All events").click(),
        lambda: ada.menu("Events"),
        lambda: ada.menu("EventFlow"),
    )
    for way in ways:
        way()
        ada.heading("Events")
        searches(ada, "coffee")
        ada.sees_not("Tea")
        ada.sees("Coffee")
        searches(ada, "")
        ada.sees("Tea")
        ada.page.reload()
        ada.heading("Events")
        ada.page.go_back()
        ada.heading("Tea")
    # The link itself is no step: before the event is where one came from.
    ada.page.go_back()
    ada.heading("Log in")
