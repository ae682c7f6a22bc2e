-- 002_cache_purges.sql — which objects are gone, for every nginx that may hold a copy of one.
--
-- A job is done by one runner; a copy may lie on every host. So each runner reads this list for the nginx beside it: all of
-- it when it starts, then what is new. Nothing is ticked off: to purge what is not there costs nothing, and a host that was
-- down needs no book-keeping. Older rows than nginx keeps a copy unread (30 days) are removed by the runners.

CREATE TABLE cache_purges (
  tx         xid8        NOT NULL DEFAULT pg_current_xact_id(),   -- commits are not in the order of ids: this finds late ones
  id         bigint      GENERATED ALWAYS AS IDENTITY,
  key        text        NOT NULL,
  size_bytes bigint      NOT NULL,                                -- how many slices the copy may have
  deleted_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tx, id)
);

-- Rows lie in the order of time, so the smallest index will do to remove old ones.
CREATE INDEX cache_purges_by_time ON cache_purges USING brin (deleted_at);

CREATE FUNCTION cloakroom_note_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (key, size_bytes) SELECT gone.key, gone.size_bytes FROM gone WHERE gone.store = 's3';
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_deleted_note AFTER DELETE ON attachments
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_note_deleted();

CREATE FUNCTION cloakroom_note_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (key, size_bytes) SELECT a.key, a.size_bytes FROM attachments a WHERE a.store = 's3';
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_truncated_note BEFORE TRUNCATE ON attachments
FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_note_truncated();

REVOKE ALL ON FUNCTION cloakroom_note_deleted(), cloakroom_note_truncated() FROM PUBLIC;
