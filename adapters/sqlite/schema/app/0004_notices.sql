-- notice_*: what people were told or are to be told, and what that follows from.
-- The number is the order in which they were made, and so, for one person, sent.
CREATE TABLE notice (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE,
    user       BLOB NOT NULL,
    kind       TEXT NOT NULL,
    event      BLOB NOT NULL,
    booking    BLOB,
    subject    TEXT NOT NULL,
    text       TEXT NOT NULL,
    html       TEXT NOT NULL,
    status     TEXT NOT NULL,
    reason     TEXT,
    attempts   INTEGER NOT NULL,
    -- Of these, those after which it may have arrived.
    unclear    INTEGER NOT NULL,
    tried_since INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    sent_at    INTEGER,
    -- 0: what concerns one person; 1: what goes to many at once.
    reach      INTEGER NOT NULL
) STRICT;
-- An id begins with the time, so its order is that of lists, newest last.
CREATE INDEX notice_by_user ON notice (user, id);
CREATE INDEX notice_told ON notice (user, id) WHERE status <> 'suppressed';
CREATE INDEX notice_due ON notice (reach, next_at, number) WHERE status = 'queued';
CREATE INDEX notice_queue ON notice (user, number) WHERE status = 'queued';
CREATE INDEX notice_failed ON notice (number) WHERE status = 'failed';

CREATE TABLE notice_event (
    id        BLOB PRIMARY KEY,
    organizer BLOB NOT NULL,
    version   INTEGER NOT NULL,
    title     TEXT NOT NULL,
    location  TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL,
    timezone  TEXT,
    cancelled INTEGER NOT NULL,
    -- Whether its attendees and reminders are.
    forgotten INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_event_by_end ON notice_event (ends_at) WHERE forgotten = 0;

CREATE TABLE notice_attendee (
    event    BLOB NOT NULL,
    user     BLOB NOT NULL,
    booking  BLOB NOT NULL,
    quantity INTEGER NOT NULL,
    status   INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    era      INTEGER NOT NULL,
    stamp    INTEGER NOT NULL,
    PRIMARY KEY (event, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE notice_reminder (
    event     BLOB NOT NULL,
    span_s    INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    starts_at INTEGER NOT NULL,
    done      INTEGER NOT NULL,
    PRIMARY KEY (event, span_s)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_reminder_next ON notice_reminder (due_at) WHERE done = 0;

-- What a person does not want; the empty kind stands for all mail.
CREATE TABLE notice_refused (
    user BLOB NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (user, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE notice_template (
    kind    TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    text    TEXT NOT NULL,
    html    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notice_announcement (
    number      INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    event       BLOB NOT NULL,
    sender      BLOB NOT NULL,
    audience    INTEGER NOT NULL,
    subject     TEXT NOT NULL,
    message     TEXT NOT NULL,
    key         BLOB NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    recipients  INTEGER NOT NULL,
    done        INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_announcement_by_event ON notice_announcement (event, created_at);
CREATE INDEX notice_announcement_open ON notice_announcement (number) WHERE done = 0;
CREATE INDEX notice_announcement_done ON notice_announcement (created_at) WHERE done = 1;

-- What happened before notices were first made is told to nobody.
CREATE TABLE notice_desk (
    id       INTEGER PRIMARY KEY CHECK (id = 0),
    began_at INTEGER NOT NULL
) STRICT;

-- Facts about people's places were not on the bus before: the ledger's are brought there
-- once more, and what is there already is not doubled.
UPDATE bus_cursor SET position = 0 WHERE partition = 0;
