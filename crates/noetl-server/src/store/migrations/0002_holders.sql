-- What holds a command: `server` or `worker`. The name of a holder says nothing about its kind.
ALTER TABLE command ADD COLUMN holder TEXT;
-- How many holders of the command ended before its outcome was stored.
ALTER TABLE command ADD COLUMN lost BIGINT NOT NULL DEFAULT 0;
