-- 013_jobs.sql — jobs that failed for good, since when a job is at work, and which kinds come last.

-- `failures`: how often the job itself failed, or took its runner along; an outage of somebody else is none.
-- `begun_at`: when it was first tried. run_at moves on with each failure, so it does not tell how late a job is.
ALTER TABLE jobs
  ADD COLUMN failures integer NOT NULL DEFAULT 0,
  ADD COLUMN begun_at timestamptz;

-- Dead letters: nobody tries them again until a sysadmin says so. A table of its own, so that however many there are they
-- are in nobody's way, and runners of an older version, which may run beside ours, do not see them.
CREATE TABLE dead_jobs (
  id         bigint      PRIMARY KEY,            -- as in jobs, also after a retry
  kind       text        NOT NULL,
  payload    jsonb       NOT NULL,
  priority   smallint    NOT NULL,
  attempts   integer     NOT NULL,
  failures   integer     NOT NULL,
  last_error text        NOT NULL,
  created_at timestamptz NOT NULL,
  died_at    timestamptz NOT NULL DEFAULT now()
);

-- A move of a large file takes long: it waits for deletions (0) and previews (-1).
UPDATE jobs SET priority = -2 WHERE kind = 'move_object' AND priority = 0;
