-- auth_session: who stays logged in. Of a refresh token only a digest is kept. A session
-- that was ended before its time stays until no token of it can be good any more.
CREATE TABLE auth_session (
    id         BLOB PRIMARY KEY,
    user       BLOB NOT NULL,
    secret     BLOB NOT NULL,
    began_at   INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    over_at    INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX auth_session_by_user ON auth_session (user, began_at);
CREATE INDEX auth_session_by_over ON auth_session (over_at);
CREATE INDEX auth_session_by_ended ON auth_session (ended_at) WHERE ended_at IS NOT NULL;
