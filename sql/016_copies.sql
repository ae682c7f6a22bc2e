-- 016_copies.sql — the copies in S3 of files that lie on the local disk (STORAGE=hybrid), and the walk that reads both.
--
-- A row is the wish for a copy from the moment on in which its file is there; store and key come with the copy. Nothing
-- else in the service says where a copy is: whoever reads, deletes or audits looks here. Previews have no copies.

CREATE TABLE copies (
  attachment_id   uuid        PRIMARY KEY REFERENCES attachments ON DELETE CASCADE,
  store           text,                          -- null, as the key is: it is not there yet
  key             text,
  size_bytes      bigint      NOT NULL,          -- the file's: of what is missing the sum must be cheap
  wanted_at       timestamptz NOT NULL DEFAULT now(),
  copied_at       timestamptz,
  verified_at     timestamptz,                   -- when both sides were last read and were right
  repair_asked_at timestamptz,                   -- a reader found the local file changed or gone: there is a job
  CONSTRAINT copies_there_or_not CHECK (num_nulls(store, key, copied_at) IN (0, 3)),
  CONSTRAINT copies_one_row_an_object UNIQUE (store, key)
);

-- What is not copied yet: how much, and since when. Partial: once all is copied it is empty.
CREATE INDEX copies_wanted ON copies (wanted_at) INCLUDE (size_bytes) WHERE key IS NULL;
-- Whether a file that waits for its copy has a job.
CREATE INDEX jobs_copies ON jobs ((payload->>'id')) WHERE kind = 'copy_object';

-- Their objects go as those of files do (001, 002, 009), by whatever way the row goes. One that is only wanted has none.
CREATE TRIGGER copies_deleted AFTER DELETE ON copies
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_enqueue_deleted();
CREATE TRIGGER copies_deleted_note AFTER DELETE ON copies
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_note_deleted();

CREATE FUNCTION cloakroom_copies_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes)
  SELECT c.store, c.key, c.size_bytes FROM copies c WHERE c.key IS NOT NULL;
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', c.store, 'key', c.key) FROM copies c WHERE c.key IS NOT NULL;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER copies_truncated BEFORE TRUNCATE ON copies
FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_copies_truncated();

-- A file that was moved out of the local store needs no copy beside it.
CREATE FUNCTION cloakroom_drop_copy() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM copies c WHERE c.attachment_id = NEW.id;
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_moved_away AFTER UPDATE OF store, key ON attachments
FOR EACH ROW WHEN (OLD.store = 'local' AND NEW.store IS DISTINCT FROM 'local') EXECUTE FUNCTION cloakroom_drop_copy();

-- As in 014, and what is copied of a file in quarantine.
CREATE OR REPLACE FUNCTION cloakroom_note_quarantined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (store, key, size_bytes)
  SELECT NEW.store, NEW.key, NEW.size_bytes WHERE NEW.store <> 'local'
  UNION ALL SELECT v.store, v.key, v.size_bytes FROM variants v WHERE v.attachment_id = NEW.id AND v.store <> 'local'
  UNION ALL SELECT c.store, c.key, c.size_bytes FROM copies c WHERE c.attachment_id = NEW.id AND c.key IS NOT NULL;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

-- A tombstone keeps the copy, too: its row, as those of variants, and its object.
ALTER TABLE tombstones ADD COLUMN copies jsonb NOT NULL DEFAULT '[]';

-- As in 012, with the copies.
CREATE OR REPLACE FUNCTION cloakroom_bury(p_ids uuid[], p_messages text[], p_reasons text[], p_seen timestamptz, p_undo interval)
RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
  v_ids uuid[];
BEGIN
  -- In id order, as everybody locks them. Who makes a variant waits here, or we for him: then it is seen below.
  SELECT array_agg(locked.id) INTO v_ids FROM (
    SELECT a.id FROM attachments a
      JOIN unnest(p_ids, p_messages) AS wanted (id, message_id) ON a.id = wanted.id
     WHERE a.message_id IS NOT DISTINCT FROM wanted.message_id
       AND (a.unlinked_at IS NULL OR a.unlinked_at < p_seen) AND a.status <> 'quarantined'
     ORDER BY a.id FOR UPDATE OF a) locked;
  IF v_ids IS NULL THEN
    RETURN;
  END IF;
  IF p_undo > interval '0' THEN
    -- Who has just made a copy must not put its key into the row between the two looks below.
    PERFORM FROM copies c WHERE c.attachment_id = ANY (v_ids) ORDER BY c.attachment_id FOR UPDATE;
    INSERT INTO tombstones (id, attachment, variants, copies, size_bytes, reason, purge_after)
    SELECT a.id, to_jsonb(a),
           coalesce((SELECT jsonb_agg(to_jsonb(v)) FROM variants v WHERE v.attachment_id = a.id), '[]'::jsonb),
           coalesce((SELECT jsonb_agg(to_jsonb(c)) FROM copies c WHERE c.attachment_id = a.id), '[]'::jsonb),
           coalesce(a.size_bytes, 0), wanted.reason, now() + p_undo
      FROM attachments a JOIN unnest(p_ids, p_reasons) AS wanted (id, reason) ON a.id = wanted.id
     WHERE a.id = ANY (v_ids);
    INSERT INTO tombstone_objects (store, key, tombstone)
    SELECT a.store, a.key, a.id FROM attachments a WHERE a.id = ANY (v_ids) AND a.key IS NOT NULL
    UNION ALL
    SELECT v.store, v.key, v.attachment_id FROM variants v WHERE v.attachment_id = ANY (v_ids)
    UNION ALL
    SELECT c.store, c.key, c.attachment_id FROM copies c WHERE c.attachment_id = ANY (v_ids) AND c.key IS NOT NULL;
    -- The key tells whose disk it is on, as with all jobs.
    WITH made AS (
      INSERT INTO jobs (kind, payload, run_at)
      SELECT 'purge_tombstone', jsonb_build_object('id', t.id, 'key', t.attachment->>'key'), t.purge_after
        FROM tombstones t WHERE t.id = ANY (v_ids)
      RETURNING id, (payload->>'id')::uuid AS tombstone)
    UPDATE tombstones t SET job_id = made.id FROM made WHERE t.id = made.tombstone;
    PERFORM pg_notify('cloakroom_jobs', '');  -- copies leave nginx's caches at once
  END IF;
  RETURN QUERY DELETE FROM attachments a WHERE a.id = ANY (v_ids) RETURNING a.id;
END $$;

-- As in 012, with the copies. The job of one that was only wanted may have found no row meanwhile, and that of a repair.
CREATE OR REPLACE FUNCTION cloakroom_restore(p_id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
  v_stone tombstones;
BEGIN
  SELECT * INTO v_stone FROM tombstones t WHERE t.id = p_id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN 'absent';
  ELSIF v_stone.purge_begun THEN
    RETURN 'late';
  END IF;
  PERFORM cloakroom_insert_again('attachments', v_stone.attachment);
  PERFORM cloakroom_insert_again('variants', one) FROM jsonb_array_elements(v_stone.variants) one;
  PERFORM cloakroom_insert_again('copies', one) FROM jsonb_array_elements(v_stone.copies) one;
  UPDATE copies c SET repair_asked_at = NULL WHERE c.attachment_id = p_id AND c.repair_asked_at IS NOT NULL;
  INSERT INTO jobs (kind, payload, priority)
  SELECT 'copy_object', jsonb_build_object('id', p_id), -2 FROM copies c WHERE c.attachment_id = p_id AND c.key IS NULL;
  IF v_stone.attachment->>'key' LIKE '.kept/%' THEN  -- its move may have found no row meanwhile
    INSERT INTO jobs (kind, payload, priority)
    SELECT 'move_object', jsonb_build_object('id', p_id, 'store', a.store, 'key', a.key), -2
      FROM attachments a WHERE a.id = p_id;
  END IF;
  PERFORM pg_notify('cloakroom_jobs', '');
  DELETE FROM tombstones t WHERE t.id = p_id;
  DELETE FROM jobs j WHERE j.id = v_stone.job_id AND j.kind = 'purge_tombstone';
  DELETE FROM dead_jobs j WHERE j.id = v_stone.job_id AND j.kind = 'purge_tombstone';
  RETURN 'restored';
END $$;

-- One row: how far the walk over all files has come, and what it has found so far. One that was killed goes on here.
CREATE TABLE scrubs (
  single      boolean     PRIMARY KEY DEFAULT true CHECK (single),
  after       uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',  -- the last attachment that was read
  begun_at    timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  totals      jsonb       NOT NULL DEFAULT '{}'
);

REVOKE ALL ON FUNCTION cloakroom_copies_truncated(), cloakroom_drop_copy() FROM PUBLIC;
