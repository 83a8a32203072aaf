-- Format 1. Times are milliseconds since 1970-01-01 00:00 UTC; `position` numbers all that is
-- written to the file, whichever pipeline it is of.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('position', 0);

CREATE TABLE register (
    pipeline TEXT NOT NULL,
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (pipeline, owner, key)
) STRICT;

CREATE INDEX register_position ON register (pipeline, position);

CREATE TABLE fact (
    position INTEGER NOT NULL PRIMARY KEY,
    pipeline TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    about TEXT,
    at INTEGER NOT NULL,
    writer TEXT NOT NULL,
    json TEXT NOT NULL CHECK (json_valid(json)),
    UNIQUE (pipeline, kind, id)
) STRICT;

CREATE INDEX fact_position ON fact (pipeline, kind, position);

CREATE INDEX fact_about ON fact (pipeline, kind, about, position) WHERE about IS NOT NULL;

CREATE INDEX fact_at ON fact (at);

CREATE TABLE slot (
    pipeline TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    position INTEGER NOT NULL,
    json TEXT NOT NULL CHECK (json_valid(json)),
    PRIMARY KEY (pipeline, name, number)
) STRICT;

CREATE INDEX slot_position ON slot (pipeline, position);

-- `at` is when the row was written; all but `json` repeats what is in it, to search and to read.
CREATE TABLE outbox (
    pipeline TEXT NOT NULL,
    incident TEXT NOT NULL,
    route TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    at INTEGER NOT NULL,
    json TEXT NOT NULL CHECK (json_valid(json)),
    PRIMARY KEY (pipeline, incident, route, action)
) STRICT;

CREATE INDEX outbox_ended ON outbox (at) WHERE state <> 'due';
