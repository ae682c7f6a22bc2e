-- 009_variants.sql — what a look at a picture told, and the smaller pictures that were made of it.

-- Null: nobody has looked yet, or nobody could. `picture`: opaque, alpha (it has transparent parts), or none: a decoder
-- failed on it, and no decoder gets it again.
ALTER TABLE attachments
  ADD COLUMN frames      integer,
  ADD COLUMN duration_ms integer,
  ADD COLUMN picture     text,
  ADD COLUMN placeholder text;

-- Immutable, as originals are. `format` is what was asked for: "plain" is JPEG, or PNG where there is transparency.
CREATE TABLE variants (
  attachment_id uuid        NOT NULL REFERENCES attachments ON DELETE CASCADE,
  name          text        NOT NULL,            -- as VARIANTS has it
  format        text        NOT NULL,
  mime_type     text        NOT NULL,            -- of the bytes
  store         text        NOT NULL,
  key           text        NOT NULL,
  width         integer     NOT NULL,
  height        integer     NOT NULL,
  size_bytes    bigint      NOT NULL CHECK (size_bytes >= 0),
  sha256        bytea       NOT NULL CHECK (octet_length(sha256) = 32),
  created_at    timestamptz NOT NULL,
  PRIMARY KEY (attachment_id, name, format),
  CONSTRAINT variants_one_row_an_object UNIQUE (store, key)
);

-- Their objects go as those of originals do (001, 002), whether their rows go by themselves or with the original.
CREATE TRIGGER variants_deleted AFTER DELETE ON variants
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_enqueue_deleted();
CREATE TRIGGER variants_deleted_note AFTER DELETE ON variants
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_note_deleted();

-- TRUNCATE of the originals must name this table, too, or say CASCADE.
CREATE FUNCTION cloakroom_variants_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (key, size_bytes) SELECT v.key, v.size_bytes FROM variants v WHERE v.store = 's3';
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', v.store, 'key', v.key) FROM variants v;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER variants_truncated BEFORE TRUNCATE ON variants
FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_variants_truncated();

-- As in 007; what was made of a file in quarantine leaves nginx's caches with it.
CREATE OR REPLACE FUNCTION cloakroom_note_quarantined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (key, size_bytes)
  SELECT NEW.key, NEW.size_bytes
  UNION ALL SELECT v.key, v.size_bytes FROM variants v WHERE v.attachment_id = NEW.id AND v.store = 's3';
  PERFORM pg_notify('cloakroom_jobs', '');
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION cloakroom_variants_truncated() FROM PUBLIC;
