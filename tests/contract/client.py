"""The whole flow, by a client that a generator has made of the document.

Register, log in, create, book, wait, cancel, be promoted, lists, holds, notifications. Whatever
the generator could not express, or a function that answers something else than its type, ends
it with an error.
"""

import builtins
import os
from datetime import datetime, timezone
from http import HTTPStatus

import eventflow_client.types

# Where a body has several media types this generator names `Unset` without importing it.
builtins.Unset = eventflow_client.types.Unset

from eventflow_client import AuthenticatedClient, Client
from eventflow_client.api.accounts import log_in, log_out, refresh_token, register, validate_token
from eventflow_client.api.availability import get_availability
from eventflow_client.api.bookings import (
    cancel_booking,
    create_booking,
    get_booking,
    get_booking_for_event,
)
from eventflow_client.api.events import (
    change_event,
    create_event,
    delete_event,
    get_event,
    list_events,
    search_events,
)
from eventflow_client.api.holds import change_hold, place_hold, release_hold
from eventflow_client.api.lists import list_event_bookings, list_own_bookings
from eventflow_client.api.notifications import get_preferences, list_notifications
from eventflow_client.api.people import change_profile, check_username, get_profile
from eventflow_client.models import (
    Booking,
    ConfirmedHold,
    EventChange,
    Extension,
    LoginForm,
    NewAccount,
    NewBooking,
    NewEvent,
    NewHold,
    Profile,
    ProfileChange,
    RefreshRequest,
)

BASE = os.environ["CONTRACT_URL"]
PASSWORD = "a long walk home"
ANYBODY = Client(base_url=BASE)


def expect(answer, status):
    """What was answered, which must have this status and be of the document's types."""
    said = answer.content[:500]
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {said}"
    assert answer.parsed is not None, said
    return answer.parsed


def account(name):
    """A registered and logged-in person."""
    wish = NewAccount(username=name, email=f"{name}@example.org", password=PASSWORD)
    profile = expect(register.sync_detailed(client=ANYBODY, body=wish), HTTPStatus.CREATED)
    assert isinstance(profile, Profile) and profile.username == name
    form = LoginForm(username=name, password=PASSWORD)
    token = expect(log_in.sync_detailed(client=ANYBODY, body=form), HTTPStatus.OK)
    body = RefreshRequest(refresh_token=token.refresh_token)
    token = expect(refresh_token.sync_detailed(client=ANYBODY, body=body), HTTPStatus.OK)
    return AuthenticatedClient(base_url=BASE, token=token.access_token)


def accounts():
    ada, ben = account("ada"), account("ben")
    taken = check_username.sync_detailed(client=ANYBODY, username="ada")
    assert expect(taken, HTTPStatus.OK).exists
    assert expect(validate_token.sync_detailed(client=ada), HTTPStatus.OK).user.username == "ada"
    named = ProfileChange(full_name="Ada Byron")
    changed = change_profile.sync_detailed(client=ada, body=named)
    assert expect(changed, HTTPStatus.OK).full_name == "Ada Byron"
    assert expect(get_profile.sync_detailed(client=ada), HTTPStatus.OK).full_name == "Ada Byron"
    return ada, ben


def event(ada):
    """An event with one place."""
    wish = NewEvent(
        title="Tea",
        description="Green and black",
        start_time=datetime(2040, 5, 1, 15, tzinfo=timezone.utc),
        end_time=datetime(2040, 5, 1, 17, tzinfo=timezone.utc),
        location="Bern",
        capacity=1,
        price=4.5,
    )
    made = expect(create_event.sync_detailed(client=ada, body=wish), HTTPStatus.CREATED)
    assert made.start_time == wish.start_time and made.price == 4.5
    known = expect(get_event.sync_detailed(made.id, client=ANYBODY), HTTPStatus.OK)
    assert known.id == made.id
    listed = expect(list_events.sync_detailed(client=ANYBODY, title="tea"), HTTPStatus.OK)
    assert [one.id for one in listed] == [made.id]
    found = expect(search_events.sync_detailed(client=ANYBODY, query="green"), HTTPStatus.OK)
    assert [one.id for one in found] == [made.id]
    return made.id


def promotion(ada, ben, tea):
    """Ada has the place, Ben waits; she cancels, he has it."""
    wish = NewBooking(event_id=tea)
    first = create_booking.sync_detailed(client=ada, body=wish, idempotency_key="first")
    first = expect(first, HTTPStatus.CREATED)
    assert isinstance(first, Booking) and first.status == "confirmed"
    again = create_booking.sync_detailed(client=ada, body=wish, idempotency_key="first")
    assert expect(again, HTTPStatus.CREATED).id == first.id
    refused = create_booking.sync_detailed(client=ada, body=wish)
    assert expect(refused, HTTPStatus.CONFLICT).code == "already_booked"
    second = create_booking.sync_detailed(client=ben, body=wish)
    second = expect(second, HTTPStatus.CREATED)
    assert second.status == "waitlisted" and second.waitlist_position == 1
    counts = expect(get_availability.sync_detailed(tea, client=ANYBODY), HTTPStatus.OK)
    assert (counts.capacity, counts.booked, counts.waitlist_entries) == (1, 1, 1)
    cancelled = expect(cancel_booking.sync_detailed(first.id, client=ada), HTTPStatus.OK)
    assert cancelled.status == "cancelled"
    promoted = expect(get_booking.sync_detailed(second.id, client=ben), HTTPStatus.OK)
    assert promoted.status == "confirmed" and promoted.ticket_code
    own = get_booking_for_event.sync_detailed("me", tea, client=ben)
    assert expect(own, HTTPStatus.OK).id == second.id
    foreign = get_booking.sync_detailed(second.id, client=ada)
    assert expect(foreign, HTTPStatus.NOT_FOUND).code == "not_found"


def lists(ada, ben, tea):
    (own,) = expect(list_own_bookings.sync_detailed(client=ben), HTTPStatus.OK)
    assert own.status == "confirmed" and own.event.title == "Tea"
    everybody = expect(list_event_bookings.sync_detailed(tea, client=ada), HTTPStatus.OK)
    assert sorted(one.status for one in everybody) == ["cancelled", "confirmed"]
    foreign = list_event_bookings.sync_detailed(tea, client=ben)
    assert expect(foreign, HTTPStatus.FORBIDDEN).code == "forbidden"


def holds(ada, tea):
    more = change_event.sync_detailed(tea, client=ada, body=EventChange(capacity=3))
    assert expect(more, HTTPStatus.OK).capacity == 3
    held = place_hold.sync_detailed(client=ada, body=NewHold(event_id=tea))
    held = expect(held, HTTPStatus.CREATED)
    longer = change_hold.sync_detailed(held.id, client=ada, body=Extension(extend=True))
    assert expect(longer, HTTPStatus.OK).expires_at >= held.expires_at
    released = expect(release_hold.sync_detailed(held.id, client=ada), HTTPStatus.OK)
    assert released.status == "released"
    held = place_hold.sync_detailed(client=ada, body=NewHold(event_id=tea))
    wish = ConfirmedHold(hold_id=expect(held, HTTPStatus.CREATED).id)
    booked = expect(create_booking.sync_detailed(client=ada, body=wish), HTTPStatus.CREATED)
    assert booked.status == "confirmed"


def the_end(ada, ben, tea):
    told = expect(list_notifications.sync_detailed(client=ben), HTTPStatus.OK)
    assert all(one.event_id == tea for one in told)
    assert expect(get_preferences.sync_detailed(client=ben), HTTPStatus.OK).email
    gone = expect(delete_event.sync_detailed(tea, client=ada), HTTPStatus.OK)
    assert gone.cancelled_bookings == 2
    assert get_event.sync_detailed(tea, client=ANYBODY).status_code == HTTPStatus.NOT_FOUND
    (own,) = expect(list_own_bookings.sync_detailed(client=ben), HTTPStatus.OK)
    assert own.status == "cancelled"
    expect(log_out.sync_detailed(client=ben), HTTPStatus.OK)
    assert get_profile.sync_detailed(client=ben).status_code == HTTPStatus.UNAUTHORIZED


def main():
    ada, ben = accounts()
    tea = event(ada)
    promotion(ada, ben, tea)
    lists(ada, ben, tea)
    holds(ada, tea)
    the_end(ada, ben, tea)
    print("the generated client went the whole way")


main()
