-- Probes whose end is owed, by key: while a few are, no further one is made there.
CREATE INDEX grant_probe ON kms_grant(lane, key_arn, id) WHERE origin = 'probe' AND state IN('active', 'ending');
