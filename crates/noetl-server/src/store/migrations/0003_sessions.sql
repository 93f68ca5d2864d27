-- The sessions of web pages. A cookie's value is random, and only its hash is here.
CREATE TABLE IF NOT EXISTS session (
  hash TEXT PRIMARY KEY,
  -- The hash of the token that it was begun with; another token ends it.
  token_hash TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
