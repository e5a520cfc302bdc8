"""Who is logged in.

Tokens never leave this process: a browser has an id that means nothing elsewhere, in a cookie
that its scripts cannot read (`keep`). All windows of one browser share one login, so a refresh
token, which works once, is used once, under a lock.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from frontend.api import ApiError, SessionOver

if TYPE_CHECKING:
    from collections.abc import Callable

# Logins kept; beyond, the one that was unused for longest has to log in again.
LOGINS = 10_000
# Seconds: as long as EventFlow keeps a session that nobody refreshes.
IDLE_S = 14 * 24 * 3600
# Seconds in which a ticket can be changed for a cookie, and how many may be open.
TICKET_S = 60
TICKETS = 1_000
# Writes of one person whose outcome isn't known yet; holds remembered.
OPEN_WRITES = 200
HOLDS = 200


class Login:
    """One person's session at EventFlow. Used by several threads."""

    def __init__(self, tokens: dict[str, Any], user: dict[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._refresh: str | None = tokens["refresh_token"]
        self.access: str | None = tokens["access_token"]
        self.user: dict[str, Any] = user or {}
        # Event id -> hold id. EventFlow has no list of them.
        self.holds: OrderedDict[str, str] = OrderedDict()
        # Fingerprint of a write -> its key, and the event where it makes something.
        self._keys: OrderedDict[str, tuple[str, str | None]] = OrderedDict()

    @property
    def over(self) -> bool:
        """Whether one has to log in again."""
        return self.access is None

    def end(self) -> None:
        """Forgets the tokens."""
        self.access = self._refresh = None

    def renew(self, seen: str | None, refresh: Callable[[str], dict[str, Any]]) -> None:
        """Makes `access` another token than `seen`, which was refused.

        Raises `SessionOver` when there is no other.
        """
        with self._lock:
            if self.access is None or self._refresh is None:
                raise SessionOver
            if self.access != seen:
                # Another window was quicker.
                return
            try:
                pair = refresh(self._refresh)
            except ApiError as error:
                if error.status in (400, 401, 422):
                    self.end()
                    raise SessionOver from None
                raise
            self.access, self._refresh = pair["access_token"], pair["refresh_token"]

    def key_for(self, fingerprint: str, event_id: str | None = None) -> str:
        """The idempotency key of a write that is not settled yet."""
        with self._lock:
            key, _ = self._keys.setdefault(fingerprint, (secrets.token_hex(16), event_id))
            _trim(self._keys, OPEN_WRITES)
            return key

    def settled(self, fingerprint: str) -> None:
        """The outcome is known: the same write later is another one."""
        with self._lock:
            self._keys.pop(fingerprint, None)

    def settled_at(self, event_id: str) -> None:
        """What one has at an event is known, so whatever was to make it is done or void.

        Kept any longer, its key would get the old answer when it is over and made again.
        """
        with self._lock:
            kept = self._keys.items()
            self._keys = OrderedDict(one for one in kept if one[1][1] != event_id)

    def remember_hold(self, event_id: str, hold_id: str) -> None:
        """Where to find a hold again."""
        with self._lock:
            self.holds[event_id] = hold_id
            _trim(self.holds, HOLDS)

    def forget_hold(self, event_id: str) -> None:
        """The hold is over."""
        with self._lock:
            self.holds.pop(event_id, None)


class Logins:
    """All of them, by the id in the browser's cookie."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._logins: OrderedDict[str, tuple[Login, float]] = OrderedDict()
        self._tickets: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def add(self, login: Login) -> str:
        """Keeps `login`; a ticket comes back, which the browser changes for its cookie."""
        name, ticket = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with self._lock:
            self._logins[name] = (login, self._now())
            _trim(self._logins, LOGINS)
            self._tickets[ticket] = (name, self._now())
            _trim(self._tickets, TICKETS)
        return ticket

    def take(self, ticket: str) -> str | None:
        """The id that belongs to `ticket`, once."""
        with self._lock:
            name, made = self._tickets.pop(ticket, (None, 0.0))
            return name if name and self._now() - made <= TICKET_S else None

    def find(self, name: str | None) -> Login | None:
        """The login of a cookie, if it still is one."""
        with self._lock:
            login, used = self._logins.get(name or "", (None, 0.0))
            if login is None or name is None:
                return None
            if login.over or self._now() - used > IDLE_S:
                del self._logins[name]
                return None
            self._logins[name] = (login, self._now())
            self._logins.move_to_end(name)
            return login


def _trim(kept: OrderedDict[str, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)


LOGGED_IN = Logins()
