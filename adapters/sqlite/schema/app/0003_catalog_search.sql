-- The documents with a number of their own: what is searched refers to it, and a number
-- that nobody gave may change when the file is compacted.
CREATE TABLE catalog_document (
    number          INTEGER PRIMARY KEY,
    id              BLOB NOT NULL UNIQUE,
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
INSERT INTO catalog_document (id, organizer, version, title, title_lower, description, location,
    location_lower, starts_at, ends_at, timezone, price_cents, capacity, opens_at, closes_at,
    is_active, waitlist, max_per_booking, created_at, updated_at, deleted)
SELECT id, organizer, version, title, title_lower, description, location,
    location_lower, starts_at, ends_at, timezone, price_cents, capacity, opens_at, closes_at,
    is_active, waitlist, max_per_booking, created_at, updated_at, deleted FROM catalog_event;
DROP TABLE catalog_event;
CREATE INDEX catalog_by_start ON catalog_document (starts_at, id) WHERE deleted = 0;
CREATE INDEX catalog_by_creation ON catalog_document (created_at, id) WHERE deleted = 0;
CREATE INDEX catalog_by_price ON catalog_document (price_cents, id) WHERE deleted = 0;
CREATE INDEX catalog_by_title ON catalog_document (title_lower, id) WHERE deleted = 0;
CREATE INDEX catalog_by_organizer
    ON catalog_document (organizer, starts_at, id) WHERE deleted = 0;

-- Every three characters in a row of title and location, in lower case: parts of them are
-- found by these.
CREATE VIRTUAL TABLE catalog_parts USING fts5 (
    title, location,
    content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO catalog_parts (rowid, title, location)
SELECT number, title_lower, location_lower
FROM catalog_document WHERE deleted = 0;

-- The words of a document, without regard to case and accents.
CREATE VIRTUAL TABLE catalog_words USING fts5 (
    title, location, description,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO catalog_words (rowid, title, location, description)
SELECT number, title, location, description FROM catalog_document WHERE deleted = 0;

-- Facts that the catalog could not take, kept with the reason until somebody looks.
CREATE TABLE catalog_parked (
    number INTEGER PRIMARY KEY,
    event  BLOB NOT NULL,
    kind   TEXT NOT NULL,
    reason TEXT NOT NULL,
    body   BLOB NOT NULL
) STRICT;
