"""Windows of a real browser: how one comes to a page, and what it does while it is left open."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from frontend.tests.people import PASSWORD, Person

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds for one call.
CALL_S = 20
# Seconds until booking opens: enough to open a page before, however busy the machine is.
FAR_S = 3600
# Seconds until it does once a page is open.
OPENS_S = 5
# Seconds until an event ends that is about to.
ENDS_S = 5


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


def seconds_from_now(seconds: float) -> str:
    """A time of the API."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def searches(who: Person, words: str) -> None:
    """In the list of events."""
    field = who.page.get_by_placeholder("Search title, text and place")
    field.fill(words)
    field.press("Enter")


def test_from_a_link_one_gets_to_the_list_and_stays_there(
    visitor: Callable[[str], Person], olga: Organizer
) -> None:
    tea = olga.makes("Tea")
    olga.makes("Coffee")
    ada = visitor("ada")
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


def test_a_page_left_open_follows_the_event(
    visitor: Callable[[str], Person], olga: Organizer
) -> None:
    ada = visitor("ada")
    ada.visit("/register")
    ada.register()
    tea = olga.makes("Tea", booking_opens_at=seconds_from_now(FAR_S))
    ada.visit(f"/?event={tea['id']}")
    ada.sees("Opens later")
    ada.sees(re.compile(r"^Booking opens .*\(UTC\)\.$"))
    ada.picture("event-opens-later")
    # From here on nobody touches the page: first the hour is another one, and comes.
    olga.changes(tea, booking_opens_at=seconds_from_now(OPENS_S))
    ada.sees("Book 1 place")
    ada.sees_not("Opens later")
    # Its organizer closes booking, opens it again, and names another place.
    olga.changes(tea, is_active=False)
    ada.sees("Booking is closed.")
    olga.changes(tea, is_active=True, location="Chur")
    ada.sees("Book 1 place")
    ada.sees("Chur")
    # And it ends, after somebody has come to it whose booking one could still cancel.
    ada.click("Book 1 place")
    ada.sees("You have 1 place.")
    ada.sees("Cancel the booking")
    olga.changes(tea, start_time=seconds_from_now(1), end_time=seconds_from_now(ENDS_S))
    ada.sees("Over")
    ada.sees_not("Cancel the booking")
    ada.sees("You have 1 place.")
