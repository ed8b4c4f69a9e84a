-- How many tasks that are over there are of each function in each status. It is written with the end of a task and with
-- its deletion, so that nobody has to count them.

CREATE TABLE ended_count(
  function_id INTEGER NOT NULL,
  status      INTEGER NOT NULL,
  tasks       INTEGER NOT NULL,
  PRIMARY KEY(function_id, status)
) STRICT, WITHOUT ROWID;

INSERT INTO ended_count SELECT function_id, status, count(*) FROM task WHERE status >= 10 GROUP BY function_id, status;
