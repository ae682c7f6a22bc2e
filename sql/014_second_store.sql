-- 014_second_store.sql — a second S3 store: what was written for one names the store now.
--
-- Programs from before this file know 's3' alone, which is what the defaults give them.

ALTER TABLE cache_purges ADD COLUMN store text NOT NULL DEFAULT 's3';
-- Where new files went when the ticket was given out; its completion belongs there.
ALTER TABLE direct_uploads ADD COLUMN store text NOT NULL DEFAULT 's3';

-- As before, for all that passes nginx's cache: what is not on the local disk, nor elsewhere (null).
CREATE OR REPLACE FUNCTION cloakroom_note_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes)
  SELECT gone.store, gone.key, gone.size_bytes FROM gone WHERE gone.store <> 'local';
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_note_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes)
  SELECT a.store, a.key, a.size_bytes FROM attachments a WHERE a.store <> 'local';
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_variants_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes)
  SELECT v.store, v.key, v.size_bytes FROM variants v WHERE v.store <> 'local';
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', v.store, 'key', v.key) FROM variants v;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_note_quarantined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes)
  SELECT NEW.store, NEW.key, NEW.size_bytes WHERE NEW.store <> 'local'
  UNION ALL SELECT v.store, v.key, v.size_bytes FROM variants v WHERE v.attachment_id = NEW.id AND v.store <> 'local';
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

-- A row that is moved out of a store leaves the copies of its object behind, under a name that nobody asks for and that
-- the row's own end would not purge. One row at a time is moved, and few are.
CREATE FUNCTION cloakroom_note_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes) VALUES (OLD.store, OLD.key, OLD.size_bytes);
  PERFORM pg_notify('cloakroom_jobs', '');
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_moved_note AFTER UPDATE OF store, key ON attachments
FOR EACH ROW WHEN (OLD.store <> 'local' AND (OLD.store, OLD.key) IS DISTINCT FROM (NEW.store, NEW.key))
EXECUTE FUNCTION cloakroom_note_moved();

CREATE TRIGGER variants_moved_note AFTER UPDATE OF store, key ON variants
FOR EACH ROW WHEN (OLD.store <> 'local' AND (OLD.store, OLD.key) IS DISTINCT FROM (NEW.store, NEW.key))
EXECUTE FUNCTION cloakroom_note_moved();

REVOKE ALL ON FUNCTION cloakroom_note_moved() FROM PUBLIC;
