-- The ledger, version 7. The ARNs of the keys that a freeze named when it was made, as a JSON array: an alias that is moved
-- afterwards lets none of them go.
ALTER TABLE freeze ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';
