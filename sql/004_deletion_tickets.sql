-- 004_deletion_tickets.sql — objects that go unless the rows that need them come.

-- An upload's promise, made before its bytes: unless the row takes the ticket with it, the object goes. Due tickets become jobs.
-- A table of its own, with one index: two of its statements are in the way of every upload.
CREATE TABLE deletion_tickets (
  id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store  text        NOT NULL,
  key    text        NOT NULL,
  due_at timestamptz NOT NULL
);

ALTER TABLE deletion_tickets SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
