-- Values of more than 256 KiB, each stored once for its execution, in chunks. A row that holds such values has `null`
-- in their place, and names them in its column `contents`.
CREATE TABLE IF NOT EXISTS content (
  execution_id BIGINT NOT NULL,
  -- The SHA-256 of the whole text.
  hash TEXT NOT NULL,
  chunk BIGINT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (execution_id, hash, chunk)
);
ALTER TABLE event ADD COLUMN contents TEXT;
ALTER TABLE ended ADD COLUMN contents TEXT;
