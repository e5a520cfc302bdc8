-- auth_*: who may log in. Names and addresses are unique in lower case.
CREATE TABLE auth_account (
    id             BLOB PRIMARY KEY,
    username       TEXT NOT NULL,
    username_lower TEXT NOT NULL UNIQUE,
    email          TEXT NOT NULL,
    email_lower    TEXT NOT NULL UNIQUE,
    full_name      TEXT,
    password_hash  TEXT NOT NULL,
    role           INTEGER NOT NULL,
    is_active      INTEGER NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;

-- catalog_*: what events say of themselves, and the keys and answers of writes to them.
CREATE TABLE catalog_event (
    id              BLOB PRIMARY KEY,
    organizer       BLOB NOT NULL,
    version         INTEGER NOT NULL,
    title           TEXT NOT NULL,
    title_lower     TEXT NOT NULL,
    description     TEXT NOT NULL,
    location        TEXT NOT NULL,
    location_lower  TEXT NOT NULL,
    starts_at       INTEGER NOT NULL,
    ends_at         INTEGER NOT NULL,
    timezone        TEXT,
    price_cents     INTEGER NOT NULL,
    capacity        INTEGER NOT NULL,
    opens_at        INTEGER NOT NULL,
    closes_at       INTEGER NOT NULL,
    is_active       INTEGER NOT NULL,
    waitlist        INTEGER NOT NULL,
    max_per_booking INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted         INTEGER NOT NULL
) STRICT;
CREATE INDEX catalog_event_in_order ON catalog_event (starts_at, id) WHERE deleted = 0;
CREATE INDEX catalog_event_by_organizer
    ON catalog_event (organizer, starts_at, id) WHERE deleted = 0;

CREATE TABLE catalog_create_key (
    organizer   BLOB NOT NULL,
    digest      BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    event       BLOB NOT NULL,
    keep_until  INTEGER NOT NULL,
    PRIMARY KEY (organizer, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX catalog_create_key_by_end ON catalog_create_key (keep_until);

CREATE TABLE catalog_answer (
    principal   BLOB NOT NULL,
    digest      BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    status      INTEGER NOT NULL,
    body        BLOB NOT NULL,
    version     INTEGER NOT NULL,
    keep_until  INTEGER NOT NULL,
    PRIMARY KEY (principal, digest)
) STRICT;
CREATE INDEX catalog_answer_by_end ON catalog_answer (keep_until);

-- bus_*: facts for other services, kept, so that a new subscriber begins with the first.
CREATE TABLE bus_message (
    number INTEGER PRIMARY KEY,
    era    INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    event  BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    body   BLOB NOT NULL,
    UNIQUE (event, seq, era)
) STRICT;

CREATE TABLE bus_cursor (
    partition INTEGER PRIMARY KEY,
    position  INTEGER NOT NULL
) STRICT;

CREATE TABLE bus_subscriber (
    name     TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
