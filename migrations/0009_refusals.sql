-- Refusals that are counted and not yet told, so that a crash loses none: the history row that each place would be.
CREATE TABLE refusal(
  place TEXT PRIMARY KEY,                   -- a uid and a reason
  actor TEXT NOT NULL,
  body TEXT NOT NULL                        -- JSON
) STRICT, WITHOUT ROWID;
