-- The proxy by which a lane reaches KMS and STS, as the config last said. One word for the account, Region and endpoint: old
-- rows leave by today's way out of the network.
ALTER TABLE lane ADD COLUMN proxy TEXT;
