-- Tags that tasks are found by, the task that one repeats, what tasks report of themselves, queues that stand still, and
-- operations on many tasks. A tag stands in task_tag as key=value; what goes with a task goes by the trigger, whoever
-- deletes it.

ALTER TABLE task ADD COLUMN tags TEXT NOT NULL DEFAULT '';  -- JSON, '' for none
ALTER TABLE task ADD COLUMN rerun_of TEXT NOT NULL DEFAULT '';

CREATE TABLE task_tag(
  account_id TEXT NOT NULL,
  tag        TEXT NOT NULL,
  task_id    INTEGER NOT NULL,
  PRIMARY KEY(account_id, tag, task_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_progress(
  id         INTEGER PRIMARY KEY,
  attempt    INTEGER NOT NULL,
  percent    REAL,
  message    TEXT NOT NULL,
  at         INTEGER NOT NULL,
  checkpoint BLOB NOT NULL
) STRICT;

CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
  DELETE FROM task_progress WHERE id = old.id;
  DELETE FROM task_tag WHERE account_id = old.account_id AND task_id = old.id AND old.tags <> ''
    AND tag IN (SELECT key || '=' || value FROM json_each(CASE old.tags WHEN '' THEN '{}' ELSE old.tags END));
END;

ALTER TABLE function ADD COLUMN paused_at INTEGER NOT NULL DEFAULT 0;

CREATE TABLE operation(
  id         INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  epoch      INTEGER NOT NULL,
  body       TEXT NOT NULL  -- JSON
) STRICT;
