-- The slots of each server count as a worker.
ALTER TABLE shard ADD COLUMN slots BIGINT NOT NULL DEFAULT 0;
ALTER TABLE shard ADD COLUMN started_at BIGINT NOT NULL DEFAULT 0;
-- When a version was deleted that executions still need.
ALTER TABLE catalog ADD COLUMN deleted_at BIGINT;
-- The executions that have ended, by the time at which they did: the oldest are deleted first.
CREATE INDEX IF NOT EXISTS execution_ended ON execution (end_time) WHERE end_time IS NOT NULL;
CREATE INDEX IF NOT EXISTS execution_catalog ON execution (catalog_id);
