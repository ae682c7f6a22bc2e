-- 012_tombstones.sql — what the clean-up removed and may be had back; and since when an upload is linked to nothing.
--
-- A tombstone is the whole row with its variants, of a file that nobody can reach any more. Its objects stay until a job
-- 'purge_tombstone' removes them, and then the tombstone. Users' and applications' own deletions make none.

-- The clean-up counts from here where a file was linked, or in quarantine. Null: it never was, or is.
ALTER TABLE attachments ADD COLUMN unlinked_at timestamptz;

CREATE FUNCTION cloakroom_note_unlinked() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.unlinked_at := CASE WHEN NEW.status = 'uploaded' THEN now() END;
  RETURN NEW;
END $$;

CREATE TRIGGER attachments_unlinked_note BEFORE UPDATE OF status ON attachments
FOR EACH ROW WHEN (NEW.status = 'uploaded' AND OLD.status <> 'uploaded' OR NEW.status = 'linked' AND OLD.unlinked_at IS NOT NULL)
EXECUTE FUNCTION cloakroom_note_unlinked();

CREATE TABLE tombstones (
  id          uuid        PRIMARY KEY,           -- the attachment's
  attachment  jsonb       NOT NULL,              -- its row
  variants    jsonb       NOT NULL,              -- an array of theirs
  size_bytes  bigint      NOT NULL,
  reason      text        NOT NULL,
  deleted_at  timestamptz NOT NULL DEFAULT now(),
  purge_after timestamptz NOT NULL,
  job_id      bigint,                            -- that purges it
  purge_begun boolean     NOT NULL DEFAULT false -- from here on its bytes may be gone: it is too late
);
CREATE INDEX tombstones_by_time ON tombstones (deleted_at DESC, id DESC);

-- The objects of tombstones: one that is here is not to be deleted with its row. A file that lives elsewhere has none.
CREATE TABLE tombstone_objects (
  store      text   NOT NULL,
  key        text   NOT NULL,
  tombstone  uuid   NOT NULL REFERENCES tombstones ON DELETE CASCADE,
  PRIMARY KEY (store, key)
);
CREATE INDEX tombstone_objects_of ON tombstone_objects (tombstone);

-- As in 010, but for the objects of tombstones: these have a job of their own.
CREATE OR REPLACE FUNCTION cloakroom_enqueue_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', gone.store, 'key', gone.key) FROM gone
   WHERE gone.key IS NOT NULL
     AND NOT EXISTS (SELECT FROM tombstone_objects o WHERE o.store = gone.store AND o.key = gone.key);
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

-- Removes these attachments, with tombstones when p_undo is more than nothing. Only those that are still what the caller
-- saw: `p_messages`, null for a file that is linked to none, and nobody unlinked it since p_seen. Returns the removed ones.
CREATE FUNCTION cloakroom_bury(p_ids uuid[], p_messages text[], p_reasons text[], p_seen timestamptz, p_undo interval)
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
    INSERT INTO tombstones (id, attachment, variants, size_bytes, reason, purge_after)
    SELECT a.id, to_jsonb(a),
           coalesce((SELECT jsonb_agg(to_jsonb(v)) FROM variants v WHERE v.attachment_id = a.id), '[]'::jsonb),
           coalesce(a.size_bytes, 0), wanted.reason, now() + p_undo
      FROM attachments a JOIN unnest(p_ids, p_reasons) AS wanted (id, reason) ON a.id = wanted.id
     WHERE a.id = ANY (v_ids);
    INSERT INTO tombstone_objects (store, key, tombstone)
    SELECT a.store, a.key, a.id FROM attachments a WHERE a.id = ANY (v_ids) AND a.key IS NOT NULL
    UNION ALL
    SELECT v.store, v.key, v.attachment_id FROM variants v WHERE v.attachment_id = ANY (v_ids);
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

-- Inserts one row of p_table from what a tombstone kept. Columns that came since have their defaults.
CREATE FUNCTION cloakroom_insert_again(p_table regclass, p_row jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
  v_columns text;
BEGIN
  SELECT string_agg(quote_ident(c.attname), ', ') INTO v_columns
    FROM pg_attribute c
   WHERE c.attrelid = p_table AND c.attnum > 0 AND NOT c.attisdropped AND c.attgenerated = '' AND p_row ? c.attname;
  EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, $1)', p_table, v_columns)
    USING p_row;
END $$;

-- The attachment is as it was, with its link and its variants. 'restored', 'absent': there is no such tombstone, 'late': its
-- bytes are being removed.
CREATE FUNCTION cloakroom_restore(p_id uuid) RETURNS text
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
  IF v_stone.attachment->>'key' LIKE '.kept/%' THEN  -- its move may have found no row meanwhile
    INSERT INTO jobs (kind, payload, priority)
    SELECT 'move_object', jsonb_build_object('id', p_id, 'store', a.store, 'key', a.key), -2
      FROM attachments a WHERE a.id = p_id;
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  DELETE FROM tombstones t WHERE t.id = p_id;
  DELETE FROM jobs j WHERE j.id = v_stone.job_id AND j.kind = 'purge_tombstone';
  DELETE FROM dead_jobs j WHERE j.id = v_stone.job_id AND j.kind = 'purge_tombstone';
  RETURN 'restored';
END $$;

REVOKE ALL ON FUNCTION cloakroom_enqueue_deleted(), cloakroom_note_unlinked() FROM PUBLIC;
