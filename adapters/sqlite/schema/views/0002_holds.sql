-- Holds with their details, which only the history has besides. No booking service that
-- could place holds ran on the schema before, so nothing has to be read again.
-- With row ids: details are long, and an index must not carry them.
CREATE TABLE hold (
    id         BLOB NOT NULL PRIMARY KEY,
    event      BLOB NOT NULL,
    user       BLOB NOT NULL,
    quantity   INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    made_at    INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    details    BLOB NOT NULL,
    era        INTEGER NOT NULL,
    stamp      INTEGER NOT NULL
) STRICT;
-- Status 0 is an open hold: a cancelled event finds its own by the first index, and what
-- is forgotten after a while is found by the second.
CREATE INDEX hold_open ON hold (event) WHERE status = 0;
CREATE INDEX hold_over ON hold (changed_at) WHERE status <> 0;

-- The details that were in force when a hold was extended without being given new ones.
CREATE TABLE hold_extension (
    hold       BLOB NOT NULL,
    extension  INTEGER NOT NULL,
    details    BLOB NOT NULL,
    PRIMARY KEY (hold, extension)
) STRICT;
