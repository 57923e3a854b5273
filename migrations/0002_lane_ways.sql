-- The ledger, version 2. How a lane comes by its credentials, as the config last said: unlike the facts that make a lane,
-- these may change without making another one, so that the old rows are ended by today's means.
ALTER TABLE lane ADD COLUMN profile TEXT;
ALTER TABLE lane ADD COLUMN session_name TEXT;
ALTER TABLE lane ADD COLUMN revoke_role_arn TEXT;          -- assumed for RevokeGrant alone
