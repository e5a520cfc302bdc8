-- A booking id begins with the time the booking was made at, so the order of ids is the
-- order of lists, and each index ends with the id by itself.
CREATE TABLE booking (
    id         BLOB PRIMARY KEY,
    event      BLOB NOT NULL,
    user       BLOB NOT NULL,
    quantity   INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    era        INTEGER NOT NULL,
    stamp      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX booking_by_user ON booking (user, status);
CREATE INDEX booking_by_event ON booking (event, status);

CREATE TABLE cursor (
    partition INTEGER PRIMARY KEY,
    position  INTEGER NOT NULL
) STRICT;
