-- Hard limits: live leases of a policy and of an asker are counted by the transaction that makes one more.
CREATE INDEX lease_live ON lease(policy, asker_uid)
  WHERE policy IS NOT NULL AND state IN('creating', 'active', 'ending');

-- How many grants a whole listing of a key last saw, whoever made them.
CREATE TABLE census(
  key_arn TEXT PRIMARY KEY,
  grants INTEGER NOT NULL CHECK(grants >= 0),
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
