"""What Schemathesis has to know of EventFlow that no document can say.

A person of its own, logged in; what ties fields together; keys that are used once. Cases that
are meant to be wrong go out as they were made.
"""

import itertools
import os
import re
import subprocess

import requests
import schemathesis
from hypothesis import strategies as st

BASE = os.environ["CONTRACT_URL"]
PASSWORD = "a long walk home"

# Fewer seconds than a token lives.
REFRESH_SECONDS = 300

KEY = "Idempotency-Key"
numbers = itertools.count(1)


def register():
    """A new account; its user name."""
    name = f"tester-{os.getpid()}-{next(numbers)}"
    body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    requests.post(f"{BASE}/auth/register", json=body, timeout=30).raise_for_status()
    return name


def log_in(name):
    """The access token of a new session."""
    body = {"username": name, "password": PASSWORD}
    answer = requests.post(f"{BASE}/auth/login", data=body, timeout=30)
    answer.raise_for_status()
    return answer.json()["access_token"]


def make_admin():
    """An account that may do everything; its user name."""
    command = [os.environ["CONTRACT_PROGRAM"], "create-admin", "--data", os.environ["CONTRACT_DATA"]]
    command += ["--username", "root", "--email", "root@example.org"]
    subprocess.run(command, input=PASSWORD, text=True, check=True, timeout=60)
    return "root"


PERSON, ADMIN = register(), make_admin()
FOR_ADMINS = r"^/notifications/(templates|resend)"


class Session:
    def __init__(self, name=PERSON):
        self.name = name

    def get(self, case, context):
        return log_in(self.name)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


class AdminSession(Session):
    def __init__(self):
        super().__init__(ADMIN)


class LastSession(Session):
    """One for each call that ends it."""


everything = schemathesis.auth(refresh_interval=REFRESH_SECONDS)
everything.skip_for(path="/auth/logout").skip_for(path_regex=FOR_ADMINS)(Session)
schemathesis.auth(refresh_interval=REFRESH_SECONDS).apply_to(path_regex=FOR_ADMINS)(AdminSession)
schemathesis.auth(refresh_interval=None).apply_to(path="/auth/logout")(LastSession)

# The server knows some six hundred zones.
schemathesis.openapi.format(
    "iana-time-zone", st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC"])
)

# The years in which sales begin and end, and events do: all of them leap years, so that
# every day stays a day.
YEARS = {
    "booking_opens_at": "2028",
    "booking_closes_at": "2032",
    "start_time": "2036",
    "end_time": "2040",
}


# What the tests have made: ids that lead somewhere. Bounded, the newest last.
MADE = 50
events, bookings, holds = [], [], []
POOLS = {"event_id": events, "hold_id": holds}
PATHS = {"/events/{id}": events, "/bookings/{id}": bookings, "/bookings/holds/{id}": holds}
MAKERS = {"/events": events, "/bookings": bookings, "/bookings/holds": holds}


@schemathesis.hook
def after_call(context, case, response):
    method, path = case.method.upper(), case.operation.path
    if method == "POST" and response.status_code == 201 and path in MAKERS:
        pool = MAKERS[path]
        pool.append(response.json()["id"])
        del pool[:-MADE]
    if method == "DELETE" and response.status_code == 200 and path == "/events/{id}":
        events[:] = [event for event in events if event not in response.request.url]


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    headers = case.headers or {}
    if KEY in headers:
        # The same key with another body is refused, as it should be.
        headers[KEY] = f"{headers[KEY][:200]}-{next(numbers)}"
    if "If-Match" in headers and next(numbers) % 4:
        # A made-up version is seldom the event's.
        headers["If-Match"] = "*"
    path, body = case.operation.path, case.body
    if path == "/events" and "cursor" in (case.query or {}) and next(numbers) % 4:
        # Only a cursor that was answered for the same filters is taken.
        del case.query["cursor"]
    found(case.path_parameters or {}, {**POOLS, "id": PATHS.get(path, [])})
    for name in {"q", "query"} & set(case.query or {}):
        # A letter or a digit must be among the words.
        case.query[name] = f"{case.query[name][:190]} a" if case.query[name] else ""
    if not isinstance(body, dict):
        return
    found(body, POOLS)
    if path in ("/events", "/events/{id}"):
        in_order(body)
    elif path == "/auth/register":
        # Neither one of the commonest passwords nor anybody's name.
        body["password"] = f"{body['password'][:100]} that nobody else has"
    elif path == "/users/me" and "password" in body:
        body["password"] = body["current_password"] = PASSWORD
    elif path == "/auth/login":
        known(case, body)


def found(fields, pools):
    """Of ids that were made up, three of four become some that lead somewhere."""
    for name, pool in pools.items():
        made_up = name in fields and fields[name] not in pool
        number = next(numbers)
        if made_up and pool and number % 4:
            fields[name] = pool[-1 - number % min(len(pool), 5)]
    if "user_id" in fields and next(numbers) % 4:
        fields["user_id"] = "me"


def in_order(body):
    """Sales begin before they end, and events too."""
    for name, year in YEARS.items():
        if isinstance(body.get(name), str):
            body[name] = year + body[name][4:]
    if body.get("title") and body.get("name"):
        body["name"] = body["title"]


def known(case, body):
    """Half of those who log in exist. In a form no name has control characters."""
    if len(body["username"]) % 2:
        body.update(username=PERSON, password=PASSWORD)
    if case.media_type == "multipart/form-data":
        for name in list(body):
            if not re.fullmatch("[A-Za-z0-9_]+", name):
                del body[name]
