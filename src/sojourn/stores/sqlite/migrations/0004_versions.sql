-- Versions: a published one is a function of its own, which knows whose it is; (account, name, version) is what it is
-- known by, and the version is '' for the function itself. What hangs on qualifiers (aliases, asynchronous configurations)
-- is JSON. Tasks know the version they run, 0 for the function itself. Besides: services, triggers, keys for a time.

CREATE TABLE function_with_versions(
  id                   INTEGER PRIMARY KEY,
  account_id           TEXT NOT NULL,
  name                 TEXT NOT NULL,
  version              TEXT NOT NULL,
  generation           INTEGER NOT NULL,
  revision             INTEGER NOT NULL,
  deleted              INTEGER NOT NULL,
  created_at           INTEGER NOT NULL,
  modified_at          INTEGER NOT NULL,
  reserved_concurrency INTEGER,
  config               TEXT NOT NULL,  -- JSON
  code                 TEXT NOT NULL,  -- JSON
  async_config         TEXT,           -- JSON
  provision            TEXT,           -- JSON
  scaling              TEXT,           -- JSON
  root_id              INTEGER NOT NULL,
  version_description  TEXT NOT NULL,
  aliases              TEXT NOT NULL,  -- JSON
  async_configs        TEXT NOT NULL,  -- JSON
  disabled             TEXT,           -- JSON
  UNIQUE(account_id, name, version)
) STRICT;

INSERT INTO function_with_versions
SELECT id, account_id, name, '', generation, revision, deleted, created_at, modified_at, reserved_concurrency, config, code,
       async_config, provision, scaling, 0, '', '{}', '{}', NULL
FROM function;

DROP TABLE function;
ALTER TABLE function_with_versions RENAME TO function;

ALTER TABLE task ADD COLUMN snapshot_id INTEGER NOT NULL DEFAULT 0;

CREATE TABLE service(
  account_id TEXT NOT NULL,
  name       TEXT NOT NULL,
  revision   INTEGER NOT NULL,
  body       TEXT NOT NULL,  -- JSON
  PRIMARY KEY(account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE trigger_of_function(
  function_id INTEGER NOT NULL,
  name        TEXT NOT NULL,
  type        TEXT NOT NULL,
  config      TEXT NOT NULL,  -- JSON
  epoch       INTEGER NOT NULL,
  id          TEXT NOT NULL,
  qualifier   TEXT NOT NULL,
  description TEXT NOT NULL,
  next_at     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  PRIMARY KEY(function_id, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE access_key ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE access_key ADD COLUMN token TEXT NOT NULL DEFAULT '';
