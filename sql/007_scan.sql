-- 007_scan.sql — the walk over kept files that follows new signatures of the virus scanner, and what it finds.

-- One row: how far the walk has come. A runner holds it for a while; when that one dies, another goes on from `after`.
CREATE TABLE rescans (
  single      boolean     PRIMARY KEY DEFAULT true CHECK (single),
  signatures  bigint      NOT NULL,              -- their number: the walk is with these
  after       uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- the last attachment that was scanned
  finished_at timestamptz,
  held_by     text,
  held_until  timestamptz
);

-- A file in quarantine leaves nginx's caches as a deleted one does (002): runners read the list for the nginx beside them.
CREATE FUNCTION cloakroom_note_quarantined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (key, size_bytes) VALUES (NEW.key, NEW.size_bytes);
  PERFORM pg_notify('cloakroom_jobs', '');
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_quarantined_note AFTER UPDATE OF status ON attachments
FOR EACH ROW WHEN (NEW.status = 'quarantined' AND OLD.status <> 'quarantined' AND NEW.store = 's3')
EXECUTE FUNCTION cloakroom_note_quarantined();

REVOKE ALL ON FUNCTION cloakroom_note_quarantined() FROM PUBLIC;
