-- Lists are ordered by time and then by id, and these indexes have that order: no list is sorted.
DROP INDEX IF EXISTS execution_status;
DROP INDEX IF EXISTS execution_path;
DROP INDEX IF EXISTS execution_start;
DROP INDEX IF EXISTS execution_parent;
CREATE INDEX IF NOT EXISTS execution_by_status ON execution (status, start_time, execution_id);
CREATE INDEX IF NOT EXISTS execution_by_path ON execution (path, start_time, execution_id);
CREATE INDEX IF NOT EXISTS execution_by_start ON execution (start_time, execution_id);
-- Most executions have no parent.
CREATE INDEX IF NOT EXISTS execution_by_parent ON execution (parent_execution_id, start_time, execution_id)
  WHERE parent_execution_id IS NOT NULL;
-- Errors are searched by their text, and most executions have none.
CREATE INDEX IF NOT EXISTS execution_with_error ON execution (start_time, execution_id) WHERE error IS NOT NULL;
