-- The audit trail: calls that were to change something. Numbers are not used again, so that pages stay where they are.

CREATE TABLE audit(
  number     INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  account_id TEXT NOT NULL,
  actor      TEXT NOT NULL,
  operation  TEXT NOT NULL,
  method     TEXT NOT NULL,
  target     TEXT NOT NULL,
  request_id TEXT NOT NULL,
  status     INTEGER NOT NULL,
  code       TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_account ON audit(account_id, number);
