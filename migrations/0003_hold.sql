-- A lease that lives only while somebody holds it: a fact of the ledger, so that no crash of the daemon forgets it. The row
-- goes once the end of the lease is wanted or on its way.
CREATE TABLE hold(
  lease INTEGER PRIMARY KEY REFERENCES lease
) STRICT;
CREATE TRIGGER hold_over AFTER UPDATE OF state ON lease WHEN NEW.state NOT IN('creating', 'active') BEGIN
  DELETE FROM hold WHERE lease = NEW.id;
END;
