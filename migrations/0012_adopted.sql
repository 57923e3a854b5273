-- The ledger, version 12. Grants that others made, under a policy's deadline: leases whose origin is `adopted`. SQLite has no
-- other way to widen a CHECK but this one ("Making Other Kinds Of Table Schema Changes" of its ALTER TABLE page) and a copy
-- of the whole table, during which nothing would be ended.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
  SET sql = replace(sql, 'IN(''asked'', ''found'', ''probe'')', 'IN(''asked'', ''found'', ''probe'', ''adopted'')')
  WHERE type = 'table' AND name IN('lease', 'kms_grant');
PRAGMA writable_schema = RESET;

-- The policies that say `adopt = "enforce"`: held until an administrator resumes them. A policy that no longer says so has no
-- row, so that it is held again when it does.
CREATE TABLE enforced(
  policy TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  resumed_at INTEGER
) STRICT, WITHOUT ROWID;

-- The brake of a key: ends of adopted grants count from then; `held_since`: so many came that none is sent any more.
CREATE TABLE brake(
  key_arn TEXT PRIMARY KEY,
  counts_from INTEGER NOT NULL,
  held_since INTEGER,
  ended INTEGER NOT NULL DEFAULT 0,
  policy TEXT
) STRICT, WITHOUT ROWID;
-- Each adopted grant whose end the brake has let pass, once, before it is first sent.
CREATE TABLE let_end(
  kms_grant INTEGER PRIMARY KEY REFERENCES kms_grant,
  key_arn TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX let_end_key ON let_end(key_arn, at);
CREATE INDEX grant_adopted ON kms_grant(key_arn, id) WHERE origin = 'adopted' AND state = 'active';
