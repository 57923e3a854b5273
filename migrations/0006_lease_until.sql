-- The ledger, version 6. Where no grant of a lease lives any more, its deadline is that of the last one that ever was: an
-- extension that KMS never made leaves no trace in it.
DROP TRIGGER lease_until_moves;
CREATE TRIGGER lease_until_moves AFTER UPDATE OF state ON kms_grant WHEN NEW.state <> OLD.state BEGIN
  UPDATE lease SET deadline = coalesce(
    (SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active')),
    (SELECT deadline FROM kms_grant WHERE lease = NEW.lease AND how IS NOT 'never-existed' ORDER BY serial DESC, twin LIMIT 1),
    deadline)
  WHERE id = NEW.lease AND deadline <> coalesce(
    (SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active')),
    (SELECT deadline FROM kms_grant WHERE lease = NEW.lease AND how IS NOT 'never-existed' ORDER BY serial DESC, twin LIMIT 1),
    deadline);
END;
