"""The whole flow, clicked through by several people in a real browser, at both widths."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import expect

from frontend.tests.people import PASSWORD, PATIENCE, SIZES, Person

if TYPE_CHECKING:
    from collections.abc import Callable

# Every kind of thing that a page might take for its own.
HOSTILE = (
    "<img src=x onerror=alert(1)> **b** `c` :red[d] :material/home: $x$ [e](javascript:alert(2))"
)
HOSTILE_TEXT = "<script>alert(3)</script>\n# no heading\n| no | table |"


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    """How wide the browser is."""
    return request.param


def test_the_whole_flow(visitor: Callable[[str], Person], api: str) -> None:
    """From an empty EventFlow to a deleted event."""
    ada, ben, cyd = visitor("ada"), visitor("ben"), visitor("cyd")
    arrives(ada)
    link = creates(ada)
    holds_and_books(ben, link)
    waits(cyd, link)
    gives_up(ben, cyd)
    organizes(ada, link)
    edits(ada, cyd)
    tells(ada, cyd)
    browses(ada, api)
    deletes(ada, cyd, link)
    leaves(cyd)
    for one in (ada, ben, cyd):
        assert not one.dialogs, one.dialogs


def arrives(ada: Person) -> None:
    """Nothing is there; logging in fails; an account is made, with mistakes first."""
    ada.visit()
    ada.sees("No events yet")
    ada.picture("events-empty")
    ada.menu("Log in")
    ada.fill("User name or e-mail address", "ada")
    ada.fill("Password", "not the right one")
    ada.page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    ada.sees("User name or password is wrong")
    ada.picture("login-refused")
    ada.menu("Create an account")
    ada.fill("User name", "a")
    ada.fill("E-mail address", "nowhere")
    ada.fill("Password", "short")
    ada.click("Create the account")
    ada.sees("must have 3 to 50 characters")
    ada.sees("must have 8 to 128 characters")
    ada.picture("register-refused")
    ada.register()
    ada.picture("events-empty-inside")
    # The cookie is what a script cannot read, and it is no token.
    ada.page.reload()
    ada.settle()
    expect(ada.page.get_by_role("button", name="New event")).to_be_visible(timeout=PATIENCE)
    kept = [one for one in ada.context.cookies() if one["name"] == "eventflow_session"]
    assert len(kept) == 1 and kept[0]["httpOnly"] and kept[0]["sameSite"] == "Strict", kept
    assert not kept[0]["value"].startswith("ey")
    ada.menu("My bookings")
    ada.sees("Nothing planned")
    ada.picture("bookings-empty")
    ada.menu("Organize")
    ada.sees("You organize nothing yet")
    ada.picture("organize-empty")
    ada.menu("ada")
    ada.fill("Full name", "Ada L.")
    ada.click("Save")
    ada.sees("Your profile is saved.")
    ada.picture("account")


def creates(ada: Person) -> str:
    """An event with two places, after mistakes; the link to share comes back."""
    ada.menu("Organize")
    ada.click("New event")
    ada.heading("New event")
    ada.click("Create the event")
    expect(ada.page.get_by_text("Please fill this in.")).to_have_count(2, timeout=PATIENCE)
    ada.picture("create-refused")
    ada.fill("Title", HOSTILE)
    ada.fill("Description", HOSTILE_TEXT)
    ada.fill("Place", "Bern <b>Old</b> Town")
    ada.fill("Places", "2")
    ada.fill("Price of a place (0 is free)", "4.5")
    # Twice, as quickly as one can: it is one event all the same.
    ada.page.get_by_role("button", name="Create the event", exact=True).dblclick()
    ada.heading(HOSTILE)
    ada.sees("(Europe/Zurich)")
    ada.sees("<script>alert(3)</script>")
    ada.picture("event-organizer")
    ada.click("Share")
    link = ada.page.get_by_test_id("stCode").inner_text().strip()
    assert link.startswith(ada.home + "/?event="), link
    ada.picture("event-share")
    ada.page.keyboard.press("Escape")
    ada.menu("Organize")
    expect(ada.page.locator('a[href*="event="]')).to_have_count(1, timeout=PATIENCE)
    ada.menu("Events")
    ada.sees("2 places left")
    ada.picture("events")
    # A step to an event can be taken back, and an event survives a reload.
    ada.page.locator('a[href*="event="]').click()
    ada.heading(HOSTILE)
    ada.page.reload()
    ada.heading(HOSTILE)
    ada.page.go_back()
    ada.heading("Events")
    return link


def holds_and_books(ben: Person, link: str) -> None:
    """By the link, without an account; then one is made, and one is back at the event."""
    ben.page.goto(link)
    ben.settle()
    ben.heading(HOSTILE)
    ben.picture("event-outside")
    ben.click("Log in to book")
    ben.heading("Log in")
    ben.menu("Create an account")
    ben.register()
    ben.heading(HOSTILE)
    ben.fill("Places", "2")
    ben.sees("Book 2 places")
    ben.picture("event-offer")
    ben.click("Hold for now")
    ben.sees("You hold 2 places")
    clock = ben.page.locator('[data-live="countdown"]')
    expect(clock).to_have_text(re.compile(r"^\d+:\d\d$"), timeout=PATIENCE)
    first = clock.inner_text()
    # It ticks by itself.
    expect(clock).not_to_have_text(first, timeout=PATIENCE)
    ben.picture("event-held")
    ben.click("More time")
    ben.sees("You hold 2 places")
    ben.click("Give them back")
    question = ben.page.get_by_role("dialog")
    expect(question).to_contain_text("You give up 2 places", timeout=PATIENCE)
    ben.picture("event-give-back-question")
    ben.click("Keep them", question)
    ben.sees("You hold 2 places")
    ben.click("Give them back")
    ben.agree("Give them back")
    ben.sees("You gave the places back.")
    ben.fill("Places", "2")
    ben.click("Hold for now")
    ben.sees("You hold 2 places")
    # The hold is found again after a reload.
    ben.page.reload()
    ben.settle()
    ben.click("Book them")
    ben.sees("You have 2 places.")
    ben.sees("Your ticket")
    ben.picture("event-booked")


def waits(cyd: Person, link: str) -> None:
    """Everything is taken: one waits, and sees one's turn."""
    cyd.visit("/register")
    cyd.register()
    cyd.page.goto(link)
    cyd.settle()
    cyd.sees("All places are taken.")
    cyd.picture("event-sold-out")
    cyd.click("Join the waitlist")
    cyd.sees("You are waiting for 1 place.")
    expect(cyd.page.get_by_text("Your place in the queue:")).to_contain_text("1", timeout=PATIENCE)
    cyd.picture("event-waiting")


def gives_up(ben: Person, cyd: Person) -> None:
    """Cancels from the list, after a question; who waited sees it without doing anything."""
    ben.menu("My bookings")
    ben.sees("Coming (1)")
    ben.picture("bookings")
    ben.click("Cancel the booking")
    question = ben.page.get_by_role("dialog")
    expect(question).to_contain_text("You give up 2 places", timeout=PATIENCE)
    ben.picture("bookings-question")
    ben.click("Keep it", question)
    ben.sees("Coming (1)")
    ben.click("Cancel the booking")
    ben.agree("Cancel the booking")
    # Said for some seconds only.
    cyd.sees("You have a place!")
    ben.sees("Coming (0)")
    ben.sees("Cancelled (1)")
    ben.tab("Cancelled")
    ben.picture("bookings-cancelled")
    cyd.sees("You have 1 place.")
    cyd.menu("My bookings")
    cyd.sees("Coming (1)")


def organizes(ada: Person, link: str) -> None:
    """The figures of an own event."""
    ada.page.goto(link)
    ada.settle()
    ada.click("Manage")
    ada.sees("1 of 2")
    ada.page.locator(".stVegaLiteChart canvas, .stVegaLiteChart svg").first.wait_for()
    ada.picture("manage-overview")
    ada.tab("Bookings")
    ada.picture("manage-bookings")
    ada.tab("Waitlist")
    ada.sees("Nobody waits")
    ada.picture("manage-waitlist-empty")
    ada.tab("Close or delete")
    ada.click("Close booking")
    ada.agree("Close booking")
    ada.tab("Close or delete")
    ada.sees("Booking is closed.")
    ada.picture("manage-closed")
    ada.click("Open booking again")
    ada.sees("Booking is open again.")


def edits(ada: Person, cyd: Person) -> None:
    """Fewer places than are booked are refused; a change is saved, and seen."""
    ada.tab("Edit")
    ada.fill("Title", "")
    ada.click("Save")
    ada.sees("Please fill this in.")
    ada.picture("manage-edit-refused")
    ada.fill("Title", "Tea, again")
    ada.fill("Places", "1")
    ada.click("Save")
    ada.heading("Tea, again")
    cyd.menu("My bookings")
    cyd.sees("Tea, again")


def tells(ada: Person, cyd: Person) -> None:
    """What happened was told; an organizer writes; one says what one wants to be told."""
    cyd.menu("Messages")
    cyd.sees("Booking promoted")
    cyd.picture("messages")
    cyd.page.get_by_text("Read", exact=True).first.click()
    cyd.sees("Tea, again")
    cyd.picture("messages-read")
    ada.tab("Message")
    ada.fill("Subject", "Bring <i>cups</i>")
    ada.fill("Text", "There are none.")
    ada.picture("manage-message")
    # Twice, as quickly as one can: it is one message all the same.
    ada.page.get_by_role("button", name="Send", exact=True).dblclick()
    ada.sees("On its way to 1 person.")
    # The form is empty again, and what is sent out of it comes after the first.
    ada.settle()
    expect(ada.page.get_by_label("Subject", exact=True)).to_have_value("", timeout=PATIENCE)
    ada.fill("Subject", "Saucers too")
    ada.fill("Text", "There are none.")
    ada.click("Send")
    # They arrive while one looks.
    cyd.sees("Saucers too")
    expect(cyd.page.get_by_role("heading", name="Bring <i>cups</i>")).to_have_count(1)
    cyd.tab("Preferences")
    cyd.page.get_by_text("When an organizer writes to me").click()
    cyd.click("Save")
    cyd.sees("Your preferences are saved.")
    cyd.picture("preferences")


def browses(ada: Person, api: str) -> None:
    """Many events: pages of them, words, filters, and nothing found."""
    elsewhere = writer(api, "ada")
    for number in range(1, 15):
        event = {
            "title": f"Concert {number}" if number > 1 else "A lecture on " + "very " * 20,
            "description": "",
            "location": "Chur" if number % 2 else "Thun",
            "capacity": 10 * number,
            "price": number,
            "start_time": f"2031-01-{number:02}T19:00:00",
            "end_time": f"2031-01-{number:02}T22:00:00",
            "timezone": "America/New_York",
        }
        elsewhere("POST", "/events", event)
    ada.visit()
    ada.sees("Concert 11")
    ada.sees_not("Concert 13")
    ada.click("Show more")
    ada.sees("Concert 13")
    ada.picture("events-many")
    ada.page.get_by_placeholder("Search title, text and place").fill("concert")
    ada.page.get_by_placeholder("Search title, text and place").press("Enter")
    ada.sees_not("Tea, again")
    ada.click("Filters")
    ada.fill("Place", "thu")
    ada.sees_not("Concert 3")
    ada.sees("Concert 4")
    ada.fill("Price up to", "5")
    ada.sees_not("Concert 6")
    ada.picture("events-filtered")
    ada.fill("Place", "nowhere")
    ada.page.keyboard.press("Escape")
    ada.sees("Nothing found")
    ada.picture("events-nothing-found")
    ada.click("Filters (2)")
    ada.click("Clear all")
    ada.page.keyboard.press("Escape")
    ada.sees("Tea, again")


def writer(api: str, name: str) -> Callable[[str, str, dict], dict]:
    """Writes of that person without the pages."""
    with_token = requests.Session()
    pair = with_token.post(
        f"{api}/auth/login", data={"username": name, "password": PASSWORD}, timeout=10
    ).json()
    with_token.headers["authorization"] = f"Bearer {pair['access_token']}"

    def write(method: str, path: str, body: dict) -> dict:
        answer = with_token.request(method, api + path, json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    return write


def log_out_elsewhere(who: Person) -> None:
    """In another window of the same browser."""
    other = who.context.new_page()
    other.goto(who.home + "/account")
    other.get_by_role("button", name="Log out", exact=True).click()
    expect(other.get_by_text("You are logged out.")).to_be_visible(timeout=PATIENCE)
    other.close()


def deletes(ada: Person, cyd: Person, link: str) -> None:
    """An event goes away, after a question, and with it its page."""
    cyd.page.goto(link)
    cyd.settle()
    cyd.heading("Tea, again")
    ada.page.goto(link)
    ada.settle()
    ada.click("Manage")
    ada.tab("Close or delete")
    ada.click("Delete the event")
    question = ada.page.get_by_role("dialog")
    expect(question).to_contain_text("1 booked place", timeout=PATIENCE)
    ada.picture("manage-delete-question")
    ada.agree("Delete the event")
    ada.heading("Your events")
    ada.picture("organize")
    cyd.sees("There is no such event")
    cyd.picture("event-gone")
    cyd.menu("My bookings")
    cyd.sees("Cancelled (1)")


def leaves(cyd: Person) -> None:
    """Logged out is logged out, in every window and after a reload."""
    other = cyd.context.new_page()
    other.goto(cyd.home + "/bookings")
    expect(other.get_by_text("Cancelled (1)")).to_be_visible(timeout=PATIENCE)
    cyd.menu("cyd")
    cyd.click("Log out")
    cyd.sees("You are logged out.")
    cyd.page.reload()
    cyd.settle()
    cyd.visit("/bookings")
    cyd.sees("Please log in")
    cyd.picture("bookings-outside")
    other.reload()
    expect(other.get_by_text("Please log in")).to_be_visible(timeout=PATIENCE)


def test_the_longest_name_fits(visitor: Callable[[str], Person]) -> None:
    """Fifty characters without a break: the menu cuts them, and nothing else."""
    long = visitor("w" * 50)
    long.visit("/register")
    long.register()
    long.picture("menu-long-name")
    wide = long.page.evaluate("() => [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1], wide
    tall = set()
    for entry in long.page.locator(".st-key-nav").get_by_role("link").all():
        at = entry.bounding_box()
        if at is None:
            continue
        tall.add(round(at["height"]))
        name = entry.inner_text()
        assert at["x"] >= 0 and at["x"] + at["width"] <= SIZES[long.size][0], name
        words = entry.locator("p")
        if long.name not in name:
            assert words.evaluate("one => one.scrollWidth <= one.clientWidth"), name
    assert len(tall) == 1, f"an entry of the menu has more lines than others: {tall}"
    # One finds one's account all the same.
    long.menu(long.name)
    long.heading(long.name)
    long.picture("account-long-name")


def test_what_was_typed_is_kept(visitor: Callable[[str], Person], api: str) -> None:
    """Somebody else changes the event meanwhile, and then the session ends."""
    ada = visitor("ada")
    ada.visit("/register")
    ada.register()
    elsewhere = writer(api, "ada")
    times = {"start_time": "2031-01-01T19:00:00", "end_time": "2031-01-01T22:00:00"}
    event = {"title": "Tea", "description": "", "location": "Bern", "capacity": 5, "price": 0}
    made = elsewhere("POST", "/events", event | times)
    ada.visit(f"/manage?event={made['id']}")
    ada.tab("Edit")
    elsewhere("PATCH", f"/events/{made['id']}", {"location": "Chur"})
    ada.fill("Title", "Tea, again")
    ada.click("Save")
    ada.sees("The event was changed while you were at this form.")
    expect(ada.page.get_by_label("Title", exact=True)).to_have_value("Tea, again", timeout=PATIENCE)
    ada.picture("manage-edit-meanwhile")
    ada.click("Save")
    ada.heading("Tea, again")
    ada.sees_not("The event was changed while you were at this form.")
    expect(ada.page.get_by_label("Place", exact=True)).to_have_value("Chur", timeout=PATIENCE)
    ada.fill("Place", "Thun")
    log_out_elsewhere(ada)
    ada.click("Save")
    ada.sees("Please log in")
    ada.picture("manage-edit-outside")
    ada.page.get_by_test_id("stMain").get_by_role("button", name="Log in").click()
    ada.heading("Log in")
    ada.fill("User name or e-mail address", "ada")
    ada.fill("Password", PASSWORD)
    ada.page.get_by_test_id("stFormSubmitButton").get_by_role("button").click()
    ada.heading("Tea, again")
    ada.tab("Edit")
    expect(ada.page.get_by_label("Place", exact=True)).to_have_value("Thun", timeout=PATIENCE)
    ada.click("Save")
    ada.sees("Saved.")
    told = requests.get(f"{api}/events/{made['id']}", timeout=10).json()
    assert (told["title"], told["location"]) == ("Tea, again", "Thun")
