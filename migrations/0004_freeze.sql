-- No lease is made that fits such a row; a column that is NULL fits every lease. An id is never used again: the history
-- names it.
CREATE TABLE freeze(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT,                                 -- ARN, id, or alias
  grantee TEXT,
  policy TEXT,
  account TEXT,
  caller INTEGER,                           -- the asker's uid
  reason TEXT NOT NULL,
  frozen_by INTEGER NOT NULL,
  frozen_by_name TEXT NOT NULL,
  frozen_at INTEGER NOT NULL
) STRICT;
