-- The execution whose results an execution began with.
ALTER TABLE execution ADD COLUMN retry_of BIGINT;
