-- Access tokens: bearer tokens of accounts, of which only the SHA-256 is kept. `expires_at` is 0 for one without an end.

CREATE TABLE access_token(
  id         TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  name       TEXT NOT NULL,
  scope      TEXT NOT NULL,
  digest     TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
