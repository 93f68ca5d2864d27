-- What is asked of executions after their end, so that they need not be restored from their log for it. Executions that
-- ended before this version have no row.
CREATE TABLE IF NOT EXISTS ended (
  execution_id BIGINT PRIMARY KEY,
  -- A JSON object.
  variables TEXT NOT NULL,
  -- A JSON list of the steps that ended well.
  steps TEXT NOT NULL
);
