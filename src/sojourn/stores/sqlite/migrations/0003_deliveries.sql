-- The outbox: records of finished tasks on their way to destinations, one a task at most, written with its last status.
-- Status 0 is Pending, 1 Succeeded, 2 Failed. And the secret that signs an account's records, '' until there is one.

CREATE TABLE delivery(
  task_id     INTEGER PRIMARY KEY,
  function_id INTEGER NOT NULL,
  account_id  TEXT NOT NULL,
  target      TEXT NOT NULL,
  status      INTEGER NOT NULL,
  epoch       INTEGER NOT NULL,
  round       INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  due_at      INTEGER NOT NULL,
  last_error  TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  begun_at    INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX delivery_open ON delivery(task_id) WHERE status = 0;

ALTER TABLE account ADD COLUMN webhook_secret TEXT NOT NULL DEFAULT '';
