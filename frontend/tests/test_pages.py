"""The pages without a browser: on a real EventFlow, and on one that says what a test needs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from frontend.api import NO_ADDRESS, UNREACHABLE, Api
from frontend.live import counts
from frontend.logins import Login
from frontend.tests.apps import (
    SOMEBODY,
    click,
    first_run,
    new_person,
    one_event,
    open_page,
    stand,
    words,
)
from frontend.tests.people import PASSWORD
from frontend.tests.servers import reserved
from frontend.tests.stub import Asked, Told
from frontend.views import event, messages


def test_an_expired_token_is_renewed_without_a_word(somebody):
    somebody.login.access = "run.out.token"
    app = open_page("bookings", somebody.login)
    assert "Nothing planned" in words(app)
    assert somebody.login.access != "run.out.token"


def test_a_session_that_is_over_leads_to_the_log_in(somebody):
    somebody.login.access, somebody.login._refresh = "run.out.token", "used.up"
    app = open_page("bookings", somebody.login)
    assert "Log in" in words(app)
    assert "Your session is over" in words(app)
    stand(app, "login")
    app.text_input(key="login-name").input(somebody.name)
    app.text_input(key="login-password").input(PASSWORD)
    click(app, "Log in")
    # And back to where one was.
    assert "Nothing planned" in words(app)
    assert app.session_state["login"].user["username"] == somebody.name


def test_logging_out_ends_the_session_at_eventflow(somebody, eventflow_url):
    token = somebody.login.access
    app = click(open_page("account", somebody.login), "Log out")
    assert "You are logged out." in words(app)
    answer = requests.get(
        f"{eventflow_url}/users/me", headers={"authorization": f"Bearer {token}"}, timeout=10
    )
    assert answer.status_code == 401


def test_somebody_else_was_quicker(somebody, monkeypatch):
    made = new_person().make_event(capacity=1)
    app = open_page(login=somebody.login, event=made["id"])
    seen = counts(made["id"])
    new_person().book(made)
    # The page is as old as it can be: it still believes in a place.
    with monkeypatch.context() as old:
        old.setattr(event, "counts", lambda _: seen)
        click(app, "Book 1 place")
    # No place on a waitlist that one hasn't asked for.
    assert "There are not enough places left." in words(app)
    app.run()
    click(app, "Join the waitlist")
    assert "You are number 1 on the waitlist." in words(app)


def test_no_more_is_offered_than_the_event_allows(somebody):
    made = new_person().make_event(capacity=3, max_per_booking=2, waitlist=False)
    new_person().book(made, quantity=2)
    app = open_page(login=somebody.login, event=made["id"])
    places = app.number_input(key=f"places-{made['id']}")
    assert places.max == 2
    places.set_value(2).run()
    assert "Only 1 left, and this event has no waitlist." in words(app)
    assert "Join the waitlist" not in [one.label for one in app.button]


def test_what_was_booked_in_another_window_is_shown(somebody):
    made = new_person().make_event()
    app = open_page(login=somebody.login, event=made["id"])
    somebody.book(made, quantity=2)
    app = click(app, "Book 1 place")
    assert "You have 2 places." in words(app)


@pytest.mark.parametrize(
    ("waitlist", "button"), [(True, "Join the waitlist"), (False, "Try all the same")]
)
def test_a_hold_made_elsewhere_is_found(somebody, waitlist, button):
    made = new_person().make_event(waitlist=waitlist)
    Api(somebody.login).write("POST", "/bookings/holds", {"event_id": made["id"], "quantity": 2})
    app = open_page(login=somebody.login, event=made["id"])
    app.run()
    click(app, button)
    assert "You hold 2 places" in [one.value for one in app.subheader]
    click(app, "Book them")
    assert "You have 2 places." in words(app)


def test_an_expired_hold_can_still_be_booked(stub):
    past = "2020-01-01T00:00:00.000Z"
    hold = {"id": "h", "event_id": "e", "quantity": 1, "status": "expired", "expires_at": past}
    stub(lambda asked: Told(200, hold if "holds" in asked.path else one_event(asked)))
    login = Login({"access_token": "a", "refresh_token": "r"}, SOMEBODY)
    login.remember_hold("e", "h")
    app = open_page(login=login, event="e")
    assert "0:00" in words(app) and "Time is up." in words(app)
    assert "Book them" in [one.label for one in app.button]
    assert "More time" not in [one.label for one in app.button]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("ended", "This event is over."),
        ("closed", "Booking is closed."),
        ("not_yet_open", "Booking opens Mon 1 Jan 2998, 00:00 (UTC)."),
    ],
)
def test_what_cannot_be_booked_says_why(stub, status, sentence):
    def answer(asked: Asked) -> Told:
        told = one_event(asked)
        if told and "status" in told:
            told |= {"status": status, "booking_opens_at": "2998-01-01T00:00:00.000Z"}
        return Told(200, told)

    stub(answer)
    login = Login({"access_token": "a", "refresh_token": "r"}, SOMEBODY)
    app = open_page(login=login, event="e")
    assert sentence in words(app)
    assert not [one for one in app.button if one.label.startswith("Book ")]


def test_a_change_by_somebody_else_is_not_undone(somebody):
    made = somebody.make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    Api(somebody.login).write("PATCH", f"/events/{made['id']}", {"title": "Coffee"})
    app.text_input(key=f"edit-{made['id']}-1-location").input("Chur")
    click(app, "Save")
    assert "has changed since" in words(app)
    assert Api().read(f"/events/{made['id']}").value["location"] == "Bern"


def test_another_zone_does_not_stop_sales(somebody):
    made = somebody.make_event(timezone="Europe/Zurich")
    app = open_page("manage", somebody.login, event=made["id"])
    app.selectbox(key=f"edit-{made['id']}-1-timezone").set_value("America/New_York")
    click(app, "Save")
    after = Api().read(f"/events/{made['id']}").value
    assert after["timezone"] == "America/New_York"
    assert after["status"] == "open"
    assert after["booking_opens_at"] == made["booking_opens_at"]
    # People meet at the same hour, on the other clock. Sales end then, as before.
    before = datetime.fromisoformat(made["start_time"]).astimezone(ZoneInfo("Europe/Zurich"))
    moved = datetime.fromisoformat(after["start_time"]).astimezone(ZoneInfo("America/New_York"))
    assert f"{moved:%F %H:%M}" == f"{before:%F %H:%M}" and moved > before
    assert after["booking_closes_at"] == after["start_time"]


def test_an_event_in_no_zone_gets_none_unasked(somebody):
    made = somebody.make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    click(app, "Save")
    assert "There is nothing to save." in words(app)
    after = Api().read(f"/events/{made['id']}").value
    assert (after["version"], after["timezone"]) == (made["version"], None)


def test_another_organizers_event_stays_closed(somebody):
    made = new_person().make_event()
    app = open_page("manage", somebody.login, event=made["id"])
    assert "This is not your event" in words(app)


def test_an_event_that_is_not_there(eventflow_url):
    assert eventflow_url
    for odd in ("nonsense", str(uuid.uuid4())):
        assert "There is no such event" in words(open_page(event=odd))


def test_a_link_to_an_event_is_no_page_of_its_own(somebody):
    made = somebody.make_event()
    assert first_run(event=made["id"]).session_state["page"] == "event"


def test_a_new_event_is_made_once_however_often_it_is_sent(somebody):
    app = open_page("create", somebody.login)
    app.text_input(key="create-title").input("Twice")
    app.text_input(key="create-location").input("Bern")
    intent = app.session_state["form-create"]["intent"]
    click(app, "Create the event")
    own = Api().page("/events", organizer_id=somebody.login.user["id"]).items
    assert [one["title"] for one in own] == ["Twice"]
    # What a second click in the same form sends again.
    app = open_page("create", somebody.login)
    app.session_state["form-create"]["intent"] = intent
    app.text_input(key="create-title").input("Twice")
    app.text_input(key="create-location").input("Bern")
    click(app, "Create the event")
    assert len(Api().page("/events", organizer_id=somebody.login.user["id"]).items) == 1


def test_eventflow_is_down(monkeypatch):
    login = Login({"access_token": "a", "refresh_token": "r"}, SOMEBODY)
    with reserved() as nowhere:
        monkeypatch.setenv("API_URL", f"http://127.0.0.1:{nowhere.getsockname()[1]}")
        for name in ("", "bookings", "organize", "messages"):
            assert UNREACHABLE in words(open_page(name, login)), name
        assert UNREACHABLE in words(open_page(event="e"))


def test_pages_that_do_not_know_where_eventflow_is(monkeypatch):
    monkeypatch.setenv("API_URL", "localhost:8080")
    for page in (open_page(), open_page(event="e")):
        assert NO_ADDRESS in words(page)


# -- messages, on an EventFlow that has them ------------------------------------------------


def message(number: int, **other: Any) -> dict[str, Any]:
    """One that was sent."""
    return {
        "id": f"n{number}",
        "notification_id": f"n{number}",
        "kind": "BookingConfirmed",
        "channel": "email",
        "status": "sent",
        "subject": f"Message {number}",
        "body": "See you <b>there</b>.",
        "event_id": "e",
        "booking_id": None,
        "created_at": "2030-05-01T13:00:00.000Z",
        "sent_at": None,
        "attempts": 1,
        "details": None,
    } | other


class Mailing:
    """The part of EventFlow that tells people things."""

    def __init__(self, kept: list[dict[str, Any]]) -> None:
        self.kept = kept
        self.wanted = {"email": True, "kinds": dict.fromkeys(messages.KINDS, True)}

    def __call__(self, asked: Asked) -> Told:
        """An answer."""
        if asked.path.startswith("/notifications/preferences"):
            if asked.method == "PUT":
                self.wanted = asked.body
            return Told(200, self.wanted)
        if asked.path.endswith("/resend"):
            self.kept[0]["status"] = "queued"
            return Told(202, self.kept[0])
        start = 20 if "cursor=c20" in asked.path else 0
        more = start + 20 < len(self.kept)
        link = {"link": '</notifications?cursor=c20>; rel="next"'} if more else {}
        return Told(200, self.kept[start : start + 20], link)


def test_messages_are_shown_page_by_page(stub, ada):
    stub(Mailing([message(number) for number in range(25)]))
    app = open_page("messages", ada)
    assert "Message 19" in words(app) and "Message 20" not in words(app)
    assert "See you &lt;b&gt;there&lt;/b&gt;." in words(app)
    click(app, "Show more")
    assert "Message 24" in words(app)


def test_a_message_that_failed_says_why_and_is_sent_again(stub, ada):
    one = stub(Mailing([message(0, status="failed", details="The mailbox *is* full.")]))
    app = open_page("messages", ada)
    assert "The mailbox *is* full." in words(app)
    click(app, "Send again")
    assert "It is on its way again." in words(app)
    assert [asked.method for asked in one.asked if asked.path.endswith("/n0/resend")] == ["POST"]


def test_no_messages_yet(stub, ada):
    stub(Mailing([]))
    assert "No messages" in words(open_page("messages", ada))


def test_preferences_are_saved_as_a_whole(stub, ada):
    mailing = Mailing([])
    stub(mailing)
    app = open_page("messages", ada)
    app.toggle(key="prefer-EventReminder").set_value(False)
    click(app, "Save")
    assert mailing.wanted["kinds"]["EventReminder"] is False
    assert mailing.wanted["kinds"]["BookingConfirmed"] is True
    assert mailing.wanted["email"] is True


def test_an_installation_without_messages_says_so(stub, ada):
    stub(lambda _: Told(404, {"code": "not_found", "detail": "There is nothing at this path."}))
    assert "This EventFlow sends no messages." in words(open_page("messages", ada))
