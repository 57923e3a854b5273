-- The ledger, version 5. Extensions: a lease may have several grants, one after the other.

-- Idempotency keys of extensions; those of creates stand in the lease. A key is of one user and one request.
CREATE TABLE extension_key(
  uid INTEGER NOT NULL,
  idem_key TEXT NOT NULL,
  idem_hash BLOB NOT NULL CHECK(length(idem_hash) = 32),
  lease INTEGER NOT NULL REFERENCES lease,
  serial INTEGER NOT NULL CHECK(serial >= 2),
  PRIMARY KEY(uid, idem_key)
) STRICT, WITHOUT ROWID;

-- The deadline of a lease is the latest of its grants that live or may live; once none does, it stays what it was. What
-- a shorter successor replaced is ending, and so does not count.
CREATE TRIGGER lease_until_born AFTER INSERT ON kms_grant WHEN NEW.serial > 1 BEGIN
  UPDATE lease SET deadline = (
    SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active'))
  WHERE id = NEW.lease AND deadline <> (
    SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active'));
END;
CREATE TRIGGER lease_until_moves AFTER UPDATE OF state ON kms_grant WHEN NEW.state <> OLD.state BEGIN
  UPDATE lease SET deadline = (
    SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active'))
  WHERE id = NEW.lease AND deadline <> (
    SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active'));
END;
