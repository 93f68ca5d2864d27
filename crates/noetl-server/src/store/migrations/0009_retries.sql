-- The execution whose results an execution began with.
ALTER TABLE execution ADD COLUMN retried_id BIGINT;
-- The first of a chain of executions that retry each other: its id is what templates see in all of them.
ALTER TABLE execution ADD COLUMN first_id BIGINT;
