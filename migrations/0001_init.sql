-- The ledger, version 1. Instants are Unix milliseconds UTC; spans are milliseconds. Enumerations are the kebab-case
-- words of the code. What may be listed has an index; what is counted is counted by triggers, so that no request scans.

-- What outlives a boot of this host's clocks (rules::clocks).
CREATE TABLE host(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  high_water INTEGER NOT NULL,              -- the latest time ever believed
  boot_id TEXT NOT NULL,
  anchor_wall INTEGER NOT NULL,
  anchor_boot INTEGER NOT NULL
) STRICT;

-- All that ending needs: it outlives the config. A changed fact is another lane, and old rows keep theirs.
CREATE TABLE lane(
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  role_arn TEXT,
  external_id TEXT,
  endpoint TEXT,
  retiring_principal TEXT NOT NULL,
  identity TEXT                             -- the unique id behind the credentials; another one freezes closings
) STRICT;
CREATE UNIQUE INDEX lane_facts ON lane(
  account, region, coalesce(role_arn, ''), coalesce(external_id, ''), coalesce(endpoint, ''), retiring_principal);

CREATE TABLE lease(
  id INTEGER PRIMARY KEY,
  ref TEXT NOT NULL UNIQUE CHECK(length(ref) = 14),
  lane INTEGER NOT NULL REFERENCES lane,
  origin TEXT NOT NULL CHECK(origin IN('asked', 'found', 'probe')),
  key TEXT NOT NULL,                        -- as the asker wrote it
  key_arn TEXT NOT NULL,
  key_id TEXT NOT NULL,                     -- the last piece of the ARN
  grantee TEXT NOT NULL,
  grantee_short TEXT NOT NULL,              -- the last piece of the ARN
  operations TEXT NOT NULL,                 -- JSON
  constraints TEXT NOT NULL,                -- JSON
  policy TEXT,
  reason TEXT,
  asker_uid INTEGER,
  asker TEXT,
  idem_key TEXT,
  idem_hash BLOB CHECK(length(idem_hash) = 32),
  started_at INTEGER NOT NULL,
  deadline INTEGER NOT NULL CHECK(deadline % 1000 = 0),
  latest INTEGER NOT NULL CHECK(deadline <= latest),         -- start + max-ttl, fixed at birth
  lead_ms INTEGER NOT NULL CHECK(lead_ms >= 0),
  state TEXT NOT NULL DEFAULT 'creating'                     -- of its grants, the one that has farthest to go (trigger)
    CHECK(state IN('creating', 'active', 'ending', 'ended', 'closed')),
  closed_at INTEGER,                                         -- when the last of its grants was closed (trigger)
  CHECK((idem_key IS NULL) = (idem_hash IS NULL)),
  CHECK(idem_key IS NULL OR asker_uid IS NOT NULL),
  CHECK((asker_uid IS NULL) = (asker IS NULL)),
  CHECK((state = 'closed') = (closed_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX lease_idem ON lease(asker_uid, idem_key) WHERE idem_key IS NOT NULL;
-- Each listing merges one ordered stream per state; (deadline, id) is the cursor.
CREATE INDEX lease_state ON lease(state, deadline, id);
CREATE INDEX lease_key ON lease(key, state, deadline, id);
CREATE INDEX lease_key_id ON lease(key_id, state, deadline, id);
CREATE INDEX lease_grantee ON lease(grantee_short, state, deadline, id);
CREATE INDEX lease_policy ON lease(policy, state, deadline, id) WHERE policy IS NOT NULL;
CREATE INDEX lease_asker ON lease(asker_uid, state, deadline, id) WHERE asker_uid IS NOT NULL;

CREATE TABLE kms_grant(
  id INTEGER PRIMARY KEY,
  lease INTEGER NOT NULL REFERENCES lease,
  lane INTEGER NOT NULL REFERENCES lane,
  key_arn TEXT NOT NULL,
  serial INTEGER NOT NULL CHECK(serial >= 1),                -- a successor has serial + 1
  twin INTEGER NOT NULL DEFAULT 0 CHECK(twin >= 0),          -- above 0: a second grant under the same Name
  origin TEXT NOT NULL CHECK(origin IN('asked', 'found', 'probe')),
  name TEXT,
  request TEXT,                                              -- the CreateGrant as sent (JSON), replayed to the letter
  deadline INTEGER NOT NULL CHECK(deadline % 1000 = 0),
  lead_ms INTEGER NOT NULL CHECK(lead_ms >= 0),
  settle_ms INTEGER NOT NULL CHECK(settle_ms >= 0),
  end_order TEXT NOT NULL CHECK(end_order IN('retire', 'retire-then-revoke', 'revoke')),
  state TEXT NOT NULL CHECK(state IN('creating', 'active', 'ending', 'ended', 'closed')),
  grant_id TEXT,
  why TEXT CHECK(why IN('deadline', 'asked', 'probe', 'twin')),
  via TEXT CHECK(via IN('retire', 'revoke')),
  how TEXT CHECK(how IN('retired', 'revoked', 'gone', 'never-existed')),
  create_count INTEGER NOT NULL DEFAULT 0 CHECK(create_count >= 0),
  create_open INTEGER NOT NULL DEFAULT 0 CHECK(create_open >= 0),
  create_sent INTEGER NOT NULL DEFAULT 0,                    -- the last CreateGrant left then
  missing_at INTEGER,
  end_count INTEGER NOT NULL DEFAULT 0 CHECK(end_count >= 0),
  end_first INTEGER,
  end_sent INTEGER,                                          -- the last end left then: "issued" once it is accepted
  accepted_at INTEGER,
  gone_at INTEGER,
  closed_at INTEGER,
  act TEXT CHECK(act IN('end', 'look')),
  next_action_at INTEGER,
  fault TEXT,
  fault_since INTEGER,
  UNIQUE(lease, serial, twin),
  CHECK((state = 'closed') = (next_action_at IS NULL)),
  CHECK((state = 'closed') = (act IS NULL)),
  CHECK((state = 'closed') = (how IS NOT NULL)),
  CHECK((state = 'closed') = (closed_at IS NOT NULL)),
  CHECK(state IN('creating', 'closed') OR grant_id IS NOT NULL),
  CHECK(state NOT IN('ending', 'ended') OR (why IS NOT NULL AND via IS NOT NULL)),
  CHECK((fault IS NULL) = (fault_since IS NULL))
) STRICT;
-- What is due: one seek, whatever the number of rows.
CREATE INDEX grant_due ON kms_grant(act, next_action_at, id) WHERE next_action_at IS NOT NULL;
-- One row acts on one grant. A closed row stays closed: should its grant show up again, another row ends it.
CREATE UNIQUE INDEX grant_aws ON kms_grant(key_arn, grant_id) WHERE grant_id IS NOT NULL AND state <> 'closed';
CREATE INDEX grant_was ON kms_grant(key_arn, grant_id, closed_at) WHERE grant_id IS NOT NULL AND state = 'closed';
CREATE INDEX grant_key ON kms_grant(lane, key_arn, id) WHERE state <> 'closed';
CREATE INDEX grant_owed ON kms_grant(deadline, id) WHERE state IN('creating', 'active', 'ending');

-- When grantd last proved that it can end grants on a key.
CREATE TABLE proof(
  lane INTEGER NOT NULL REFERENCES lane,
  key_arn TEXT NOT NULL,
  proven_at INTEGER NOT NULL,
  PRIMARY KEY(lane, key_arn)
) STRICT, WITHOUT ROWID;

-- Who waits for what; key_arn '' is the whole lane.
CREATE TABLE stall(
  lane INTEGER NOT NULL REFERENCES lane,
  key_arn TEXT NOT NULL DEFAULT '',
  class TEXT NOT NULL,
  since INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  until INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY(lane, key_arn)
) STRICT, WITHOUT ROWID;

CREATE TABLE tally(
  lane INTEGER NOT NULL REFERENCES lane,
  state TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY(lane, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tally_in AFTER INSERT ON kms_grant BEGIN
  INSERT INTO tally(lane, state, n) VALUES(NEW.lane, NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tally_move AFTER UPDATE OF state, lane ON kms_grant
  WHEN NEW.state <> OLD.state OR NEW.lane <> OLD.lane BEGIN
  UPDATE tally SET n = n - 1 WHERE lane = OLD.lane AND state = OLD.state;
  INSERT INTO tally(lane, state, n) VALUES(NEW.lane, NEW.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tally_out AFTER DELETE ON kms_grant BEGIN
  UPDATE tally SET n = n - 1 WHERE lane = OLD.lane AND state = OLD.state;
END;

-- A lease is where its least advanced grant is, and closed when all are.
CREATE TRIGGER lease_born AFTER INSERT ON kms_grant BEGIN
  UPDATE lease SET (state, closed_at) = (
    SELECT CASE min(instr('creating active   ending   ended    closed   ', state))
        WHEN 1 THEN 'creating' WHEN 10 THEN 'active' WHEN 19 THEN 'ending' WHEN 28 THEN 'ended' ELSE 'closed' END,
      CASE WHEN count(*) = count(closed_at) THEN max(closed_at) END
    FROM kms_grant WHERE lease = NEW.lease)
  WHERE id = NEW.lease;
END;
CREATE TRIGGER lease_moves AFTER UPDATE OF state ON kms_grant WHEN NEW.state <> OLD.state BEGIN
  UPDATE lease SET (state, closed_at) = (
    SELECT CASE min(instr('creating active   ending   ended    closed   ', state))
        WHEN 1 THEN 'creating' WHEN 10 THEN 'active' WHEN 19 THEN 'ending' WHEN 28 THEN 'ended' ELSE 'closed' END,
      CASE WHEN count(*) = count(closed_at) THEN max(closed_at) END
    FROM kms_grant WHERE lease = NEW.lease)
  WHERE id = NEW.lease;
END;

-- Append-only; each row carries the SHA-256 of the one before (ledger::history has the canonical form). The lease stands
-- here by its ref, so that the hash covers it. The triggers stop bugs; against an owner of the file only the head in the
-- journal helps.
CREATE TABLE history(
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  lease TEXT,
  kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  body TEXT NOT NULL,
  prev BLOB NOT NULL CHECK(length(prev) = 32),
  hash BLOB NOT NULL UNIQUE CHECK(length(hash) = 32)
) STRICT;
CREATE INDEX history_lease ON history(lease, seq) WHERE lease IS NOT NULL;
CREATE INDEX history_at ON history(at, seq);
-- INSERT OR REPLACE passes UPDATE and DELETE triggers, so INSERT is guarded as well.
CREATE TRIGGER history_chain BEFORE INSERT ON history
  WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM history)
    OR NEW.prev IS NOT coalesce((SELECT hash FROM history WHERE seq = NEW.seq - 1), zeroblob(32)) BEGIN
  SELECT RAISE(ABORT, 'the chain breaks here');
END;
CREATE TRIGGER history_kept BEFORE UPDATE ON history BEGIN
  SELECT RAISE(ABORT, 'history is append-only');
END;
CREATE TRIGGER history_stays BEFORE DELETE ON history BEGIN
  SELECT RAISE(ABORT, 'history is append-only');
END;
