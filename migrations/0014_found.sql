-- The ledger, version 14. What was only found moves no deadline of a lease that was made here: anybody who may create grants
-- on a key can write a Name. The deadline of a lease that was itself only found is the latest of all its grants.
DROP TRIGGER lease_until_born;
DROP TRIGGER lease_until_moves;
CREATE TRIGGER lease_until_born AFTER INSERT ON kms_grant WHEN NEW.serial > 1 BEGIN
  UPDATE lease SET deadline = (
    SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active')
      AND (origin <> 'found' OR lease.origin = 'found'))
  WHERE id = NEW.lease AND deadline <> (
    SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active')
      AND (origin <> 'found' OR lease.origin = 'found'));
END;
CREATE TRIGGER lease_until_moves AFTER UPDATE OF state ON kms_grant WHEN NEW.state <> OLD.state BEGIN
  UPDATE lease SET deadline = coalesce(
    (SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active')
      AND (origin <> 'found' OR lease.origin = 'found')),
    (SELECT deadline FROM kms_grant WHERE lease = NEW.lease AND how IS NOT 'never-existed'
      AND (origin <> 'found' OR lease.origin = 'found') ORDER BY serial DESC, twin LIMIT 1),
    deadline)
  WHERE id = NEW.lease AND deadline <> coalesce(
    (SELECT max(deadline) FROM kms_grant WHERE lease = NEW.lease AND state IN('creating', 'active')
      AND (origin <> 'found' OR lease.origin = 'found')),
    (SELECT deadline FROM kms_grant WHERE lease = NEW.lease AND how IS NOT 'never-existed'
      AND (origin <> 'found' OR lease.origin = 'found') ORDER BY serial DESC, twin LIMIT 1),
    deadline);
END;

-- Open grants that were only found: counted apart, since they use up no room of a policy.
CREATE INDEX grant_found ON kms_grant(id) WHERE origin = 'found' AND state IN('creating', 'active', 'ending');

-- What is due, apart: a flood of found grants must not stand between the others and their deadlines.
DROP INDEX grant_due;
CREATE INDEX grant_due ON kms_grant(act, next_action_at, id) WHERE next_action_at IS NOT NULL AND origin <> 'found';
CREATE INDEX grant_due_found ON kms_grant(act, next_action_at, id) WHERE next_action_at IS NOT NULL AND origin = 'found';
