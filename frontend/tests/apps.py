"""The pages without a browser, and people with accounts at the EventFlow that they show."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from streamlit.testing.v1 import AppTest

from frontend.api import Api
from frontend.logins import Login
from frontend.tests.people import PASSWORD
from frontend.tests.servers import ROOT

if TYPE_CHECKING:
    from frontend.tests.stub import Asked

# Seconds that a page may take: a bound against hanging.
PATIENCE = 60
SOMEBODY = {"id": "u1", "username": "ada", "email": "a@example.org", "role": "attendee"}


@dataclass
class Person:
    """Somebody with an account at the real EventFlow."""

    name: str
    login: Login

    def make_event(self, **fields: Any) -> dict[str, Any]:
        """An event of theirs."""
        start = datetime.now(UTC) + timedelta(days=30)
        body = {
            "title": "Tea",
            "description": "",
            "location": "Bern",
            "capacity": 2,
            "price": 0,
            "start_time": start.isoformat(),
            "end_time": (start + timedelta(hours=2)).isoformat(),
        }
        return Api(self.login).write("POST", "/events", body | fields).value

    def book(self, made: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A booking of theirs, made elsewhere."""
        return Api(self.login).write("POST", "/bookings", {"event_id": made["id"]} | fields).value


def new_person() -> Person:
    """A new person at whatever `API_URL` names."""
    name = f"p{uuid.uuid4().hex[:12]}"
    user = Api().register(name, f"{name}@example.org", PASSWORD, None)
    return Person(name, Login(Api().log_in(name, PASSWORD), user))


def open_page(name: str = "", login: Login | None = None, **query: str) -> AppTest:
    """A page as somebody sees it first. `AppTest` can switch to files only, ours are functions.

    Without a name it is the list, or the page of the event that is asked for.
    """
    app = first_run(login, **query)
    if name := name or ("event" if "event" in query else ""):
        stand(app, name)
        app.run()
    assert not app.exception, app.exception[0].value
    return app


def first_run(login: Login | None = None, **query: str) -> AppTest:
    """What the address without a page shows."""
    app = AppTest.from_file(str(ROOT / "frontend/main.py"), default_timeout=PATIENCE)
    app.session_state["login"] = login
    app.query_params.update(query)
    app.context["timezone"] = "Europe/Zurich"
    app.context["url"] = "http://pages.example/"
    return app.run()


def stand(app: AppTest, name: str) -> None:
    """From here on runs are of this page. A browser notes by itself where it was sent."""
    pages = app._registered_pages.items()
    app._page_hash = next(key for key, one in pages if one["url_pathname"] == name)


def words(app: AppTest) -> str:
    """All that can be read on a page."""
    parts: list[str] = []
    for kind in ("html", "markdown", "caption", "info", "warning", "error", "success", "toast"):
        for one in getattr(app, kind):
            parts.append(one.proto.body if kind == "html" else one.value)
    return "\n".join(parts).replace("\\", "").replace("\u2060", "")


def click(app: AppTest, label: str) -> AppTest:
    """A button by what is written on it."""
    found = [one for one in app.button if one.label == label]
    assert found, f"{label} is not among {[one.label for one in app.button]}"
    found[0].click().run()
    assert not app.exception, app.exception[0].value
    return app


def one_event(asked: Asked) -> Any:
    """Answers for the page of an event."""
    if "/bookings/user/" in asked.path:
        return None
    if asked.path.endswith("/availability"):
        return {
            "capacity": 1,
            "booked": 0,
            "held": 0,
            "free": 1,
            "available": 1,
            "waitlisted": 0,
            "waitlist_entries": 0,
        }
    return {
        "id": "e",
        "title": "Tea",
        "description": "",
        "location": "Bern",
        "price": 0,
        "timezone": "UTC",
        "start_time": "2999-01-01T00:00:00.000Z",
        "end_time": "2999-01-02T00:00:00.000Z",
        "booking_opens_at": "2020-01-01T00:00:00.000Z",
        "booking_closes_at": "2999-01-01T00:00:00.000Z",
        "capacity": 1,
        "booked": 0,
        "waitlisted": 0,
        "waitlist": True,
        "max_per_booking": 10,
        "is_active": True,
        "organizer_id": "other",
        "status": "open",
        "version": 1,
    }
