-- 017_backfill.sql — which files of an old application were taken over, and how far a run has come.

-- A row for each file of a message, written with that of its attachment. No foreign key: when the attachment goes, another
-- run must not bring the file back, and its old address must not lead to the old bytes.
CREATE TABLE backfilled (
  source        text NOT NULL,                   -- the name that the mapping has
  message_id    text NOT NULL,
  path          text NOT NULL,                   -- below the old application's folder
  attachment_id uuid NOT NULL,
  PRIMARY KEY (source, message_id, path)
);

-- Old addresses name a path alone. Several messages may have the same file.
CREATE INDEX backfilled_by_path ON backfilled (path);

-- The run that is under way, or the last one, of each mapping.
CREATE TABLE backfill_runs (
  source      text        PRIMARY KEY,
  fingerprint text        NOT NULL,              -- of mapping and export: a cursor into another one means nothing
  position    text        NOT NULL,              -- all rows up to it are done; empty: none
  rows_done   bigint      NOT NULL DEFAULT 0,
  taken       bigint      NOT NULL DEFAULT 0,
  bytes       bigint      NOT NULL DEFAULT 0,
  already     bigint      NOT NULL DEFAULT 0,
  failed      bigint      NOT NULL DEFAULT 0,
  began_at    timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
