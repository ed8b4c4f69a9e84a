-- Accounts, functions, tasks and logs. Times are microseconds since 1970; status codes are those of `history`.

CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account(
  id         TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  owner      INTEGER NOT NULL
) STRICT;

CREATE TABLE access_key(
  id         TEXT PRIMARY KEY,
  secret     TEXT NOT NULL,
  account_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- A deleted function keeps its row, so an id means (account, name) for ever.
CREATE TABLE function(
  id                   INTEGER PRIMARY KEY,
  account_id           TEXT NOT NULL,
  name                 TEXT NOT NULL,
  generation           INTEGER NOT NULL,
  revision             INTEGER NOT NULL,
  deleted              INTEGER NOT NULL,
  created_at           INTEGER NOT NULL,
  modified_at          INTEGER NOT NULL,
  reserved_concurrency INTEGER,
  config               TEXT NOT NULL,  -- JSON
  code                 TEXT NOT NULL,  -- JSON
  async_config         TEXT,           -- JSON
  UNIQUE(account_id, name)
) STRICT;

-- One row per task, its history packed in it. Ids are time-ordered, so rows and the index by function grow at their
-- right edge. The name is NULL when the caller chose none. The bodies come last, and NULL means that the body lies
-- beside: an update rewrites the whole row, so a large body in it would be written again at every transition.
CREATE TABLE task(
  id          INTEGER PRIMARY KEY,
  account_id  TEXT NOT NULL,
  function_id INTEGER NOT NULL,
  generation  INTEGER NOT NULL,
  name        TEXT,
  qualifier   TEXT NOT NULL,
  status      INTEGER NOT NULL,
  epoch       INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  retries     INTEGER NOT NULL,
  losses      INTEGER NOT NULL,
  retries_max INTEGER NOT NULL,
  due_at      INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL,
  owner       INTEGER NOT NULL,
  instance_id TEXT NOT NULL,
  error       TEXT NOT NULL,
  history     BLOB NOT NULL,
  result      BLOB,
  payload     BLOB
) STRICT;

-- Payload and result have a table each: writing a result must not write the payload again.
CREATE TABLE task_payload(
  id   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE task_result(
  id   INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- Every index ends with the id, which orders the pages. None holds the status of all tasks: the open ones and those
-- that ended badly are few, and pages of succeeded ones come from the index by function.
CREATE INDEX task_by_function ON task(function_id);
CREATE INDEX task_open ON task(function_id, status) WHERE status < 10;
CREATE INDEX task_bad ON task(function_id, status) WHERE status > 10;
CREATE UNIQUE INDEX task_by_name ON task(function_id, name) WHERE name IS NOT NULL;

-- What each attempt wrote.
CREATE TABLE task_log(
  task_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  head    BLOB NOT NULL,
  tail    BLOB NOT NULL,
  dropped INTEGER NOT NULL,
  PRIMARY KEY(task_id, attempt)
) STRICT;
