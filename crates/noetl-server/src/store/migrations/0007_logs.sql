-- What steps print. An execution counts the chunks of its logs, which gives them their order.
ALTER TABLE execution ADD COLUMN log_chunks BIGINT NOT NULL DEFAULT 0;
-- One row for each attempt of a command that has printed something.
CREATE TABLE IF NOT EXISTS log_attempt (
  execution_id BIGINT NOT NULL,
  -- The number of its first chunk.
  log_id BIGINT NOT NULL,
  command_id TEXT NOT NULL,
  step TEXT NOT NULL,
  item BIGINT,
  attempt BIGINT NOT NULL,
  -- How many lines were printed, their bytes, and how many of the lines are not kept.
  lines BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  dropped BIGINT NOT NULL,
  -- The bytes of those chunks that are not its beginning.
  tail_bytes BIGINT NOT NULL,
  -- The last batch of a worker that is kept.
  run TEXT NOT NULL,
  batch BIGINT NOT NULL,
  PRIMARY KEY (execution_id, log_id),
  UNIQUE (execution_id, command_id, attempt)
);
-- Lines, each `<milliseconds since 1970> <o, e or n> <text>`.
CREATE TABLE IF NOT EXISTS log_chunk (
  execution_id BIGINT NOT NULL,
  chunk BIGINT NOT NULL,
  log_id BIGINT NOT NULL,
  -- The number of its first line in the attempt, from 1.
  first_line BIGINT NOT NULL,
  lines BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  -- 1 for chunks that are not the attempt's beginning: they make room for later ones.
  is_tail BIGINT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (execution_id, chunk)
);
CREATE INDEX IF NOT EXISTS log_chunk_of ON log_chunk (execution_id, log_id, chunk);
