-- The first schema. SQLite and PostgreSQL read the same text, so a type that one of the two lacks is not
-- used: times are milliseconds since 1970 in UTC, and JSON is text.

CREATE TABLE IF NOT EXISTS catalog (
  catalog_id BIGINT PRIMARY KEY,
  path TEXT NOT NULL,
  version BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT,
  content TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (path, version)
);

CREATE TABLE IF NOT EXISTS execution (
  execution_id BIGINT PRIMARY KEY,
  catalog_id BIGINT NOT NULL,
  path TEXT NOT NULL,
  version BIGINT NOT NULL,
  status TEXT NOT NULL,
  payload TEXT NOT NULL,
  target TEXT,
  parent_execution_id BIGINT,
  -- The call of the parent that this execution answers: a second call finds it instead of starting another.
  parent_call TEXT UNIQUE,
  current_step TEXT,
  progress BIGINT NOT NULL,
  result TEXT,
  error TEXT,
  start_time BIGINT NOT NULL,
  end_time BIGINT,
  last_event_id BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS execution_status ON execution (status, start_time);
CREATE INDEX IF NOT EXISTS execution_path ON execution (path, start_time);
CREATE INDEX IF NOT EXISTS execution_start ON execution (start_time);
CREATE INDEX IF NOT EXISTS execution_parent ON execution (parent_execution_id);

CREATE TABLE IF NOT EXISTS event (
  execution_id BIGINT NOT NULL,
  event_id BIGINT NOT NULL,
  catalog_id BIGINT NOT NULL,
  event_type TEXT NOT NULL,
  node_id TEXT,
  node_name TEXT,
  status TEXT NOT NULL,
  context TEXT,
  result TEXT,
  error TEXT,
  meta TEXT,
  duration_ms BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (execution_id, event_id)
);
CREATE INDEX IF NOT EXISTS event_step ON event (event_type, created_at);

-- Commands without an outcome; one that has an outcome is in the event log alone.
CREATE TABLE IF NOT EXISTS command (
  command_id TEXT PRIMARY KEY,
  execution_id BIGINT NOT NULL,
  event_id BIGINT NOT NULL UNIQUE,
  step TEXT NOT NULL,
  worker_id TEXT,
  lease_until BIGINT,
  not_before BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS command_due ON command (not_before);
CREATE INDEX IF NOT EXISTS command_execution ON command (execution_id);

CREATE TABLE IF NOT EXISTS credential (
  id BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  data_encrypted TEXT NOT NULL,
  meta TEXT NOT NULL,
  tags TEXT NOT NULL,
  description TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS runtime (
  runtime_id BIGINT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  runtime TEXT NOT NULL,
  capacity BIGINT NOT NULL,
  labels TEXT NOT NULL,
  pid BIGINT,
  hostname TEXT,
  started_at BIGINT NOT NULL,
  heartbeat BIGINT NOT NULL,
  UNIQUE (kind, name)
);

-- One row for each server that may write, so that no two make the same ids.
CREATE TABLE IF NOT EXISTS shard (
  shard BIGINT PRIMARY KEY,
  server TEXT NOT NULL,
  -- Whether the server made its encryption key itself, so that no other server knows it.
  own_key BIGINT NOT NULL,
  heartbeat BIGINT NOT NULL
);
