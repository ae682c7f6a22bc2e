-- 006_limits.sql — how much each user and address did of late.

-- One row a user or address ("u:alice", "a:192.0.2.7"), one point in time a budget: a request is accepted when that is not
-- too far ahead of now, and moves it on (GCRA, domain/spending.h). UNLOGGED: a download waits for no disk, and what a crash
-- forgets is a few minutes of patience. A row whose points are all past is as good as none, and the job runner removes it.
-- No index on what changes, and half of each page free: an update stays on its page.
CREATE UNLOGGED TABLE rate_limits (
  key       text        PRIMARY KEY,
  uploads   timestamptz NOT NULL DEFAULT 'epoch',
  downloads timestamptz NOT NULL DEFAULT 'epoch',
  misses    timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
