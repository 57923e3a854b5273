-- The ledger, version 13. What is not any more as it was.

-- Keys with live leases that cannot be used, as KMS last said; the words are KMS's, and "NotFound" is a key that is gone.
CREATE TABLE key_off(
  lane INTEGER NOT NULL REFERENCES lane,
  key_arn TEXT NOT NULL,
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY(lane, key_arn)
) STRICT, WITHOUT ROWID;

-- Where each alias pointed that a policy names, when it was first seen or last accepted. `moved_to`: where it points now, and
-- is not believed. By account and Region, and not by lane: another role there sees the same aliases.
CREATE TABLE alias_pin(
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  alias TEXT NOT NULL,
  key_arn TEXT NOT NULL,
  pinned_at INTEGER NOT NULL,
  moved_to TEXT,
  moved_at INTEGER,
  PRIMARY KEY(account, region, alias),
  CHECK((moved_to IS NULL) = (moved_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_moved ON alias_pin(account, region, alias) WHERE moved_to IS NOT NULL;

-- Grants that KMS lists no more before their deadline.
CREATE INDEX grant_missing ON kms_grant(id) WHERE state = 'active' AND missing_at IS NOT NULL;
