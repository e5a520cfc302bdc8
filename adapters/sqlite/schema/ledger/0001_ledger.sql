-- Who may write, as the number that every commit is checked against.
CREATE TABLE ownership (
    id    INTEGER PRIMARY KEY CHECK (id = 0),
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    era   INTEGER NOT NULL
) STRICT;
INSERT INTO ownership (id, epoch, owner, era) VALUES (0, 0, '', 1);

-- One row per event: what a commit is checked against, and what is told of an event
-- without waking it. Kept small, because every commit rewrites it.
CREATE TABLE header (
    event            BLOB PRIMARY KEY,
    tag              INTEGER NOT NULL,
    seq              INTEGER NOT NULL,
    chain            BLOB NOT NULL,
    batch            BLOB NOT NULL,
    position         INTEGER NOT NULL,
    at               INTEGER NOT NULL,
    booked           INTEGER NOT NULL,
    held             INTEGER NOT NULL,
    waitlisted       INTEGER NOT NULL,
    waitlist_entries INTEGER NOT NULL,
    capacity         INTEGER NOT NULL,
    phase            INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    snapshot_seq     INTEGER NOT NULL,
    next_deadline    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX header_by_tag ON header (tag);
CREATE INDEX header_by_deadline ON header (next_deadline) WHERE next_deadline IS NOT NULL;

-- Every batch ever committed: log, outbox and journal at once. Never trimmed, never
-- changed. newest_at is the greatest `at` up to here, so that the newest time of all is
-- in the last row.
CREATE TABLE ledger (
    position  INTEGER PRIMARY KEY,
    event     BLOB NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    chain     BLOB NOT NULL,
    batch     BLOB NOT NULL,
    at        INTEGER NOT NULL,
    newest_at INTEGER NOT NULL,
    blob      BLOB NOT NULL
) STRICT;
CREATE INDEX ledger_by_event ON ledger (event, first_seq);

-- The newest snapshot of an event. The position of its batch says where the tail begins:
-- a batch without booking events shares its seq with the one before it.
CREATE TABLE snapshot (
    event    BLOB PRIMARY KEY,
    seq      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    blob     BLOB NOT NULL
) STRICT;
