-- Every status has an index that holds its tasks in the order of ids, so that a rare one costs no more than a common one;
-- so has every qualifier but the usual one. (task_bad, whose tasks are few, is what searches over functions go by.)

CREATE INDEX task_over ON task(function_id, status) WHERE status >= 10;
CREATE INDEX task_by_qualifier ON task(function_id, qualifier) WHERE qualifier NOT IN ('', 'LATEST');

-- A task began when it started, or when it was submitted while it has not started. When all is well that is within two
-- seconds after the time that is in its id, and then a window of time is a range of ids. These are all others.
CREATE INDEX task_late ON task(function_id, (CASE WHEN started_at > 0 THEN started_at ELSE created_at END))
WHERE (CASE WHEN started_at > 0 THEN started_at ELSE created_at END) > (id >> 22) * 1000 + 1767225602000000;
CREATE INDEX task_early ON task(function_id)
WHERE (CASE WHEN started_at > 0 THEN started_at ELSE created_at END) < (id >> 22) * 1000 + 1767225600000000;
