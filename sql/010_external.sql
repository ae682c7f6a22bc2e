-- 010_external.sql — files that live elsewhere: a row with an address instead of an object.
--
-- Who reads rows of attachments must be ready for a null store, key, size_bytes and sha256. Programs from before this file
-- cannot read such rows: register none until all of them are replaced.

-- NOT VALID: the rows that are there fulfil them, and nobody has to wait for a scan.
ALTER TABLE attachments
  ALTER COLUMN store DROP NOT NULL,
  ALTER COLUMN key DROP NOT NULL,
  ALTER COLUMN size_bytes DROP NOT NULL,
  ALTER COLUMN sha256 DROP NOT NULL,
  ADD COLUMN external_url text,
  ADD CONSTRAINT attachments_here_or_elsewhere
    CHECK (num_nulls(store, key, size_bytes, sha256) = CASE WHEN external_url IS NULL THEN 0 ELSE 4 END) NOT VALID,
  -- It becomes a Location header. The worker asks for more than this.
  ADD CONSTRAINT attachments_external_url_check
    CHECK (external_url ~* '^https?://[!-~]+$' AND octet_length(external_url) <= 2048) NOT VALID;

-- As in 001; without an object there is nothing to delete.
CREATE OR REPLACE FUNCTION cloakroom_enqueue_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', gone.store, 'key', gone.key) FROM gone WHERE gone.key IS NOT NULL;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_enqueue_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', a.store, 'key', a.key) FROM attachments a WHERE a.key IS NOT NULL;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

-- As in 008; what lives elsewhere takes no room, neither bytes nor a place among the files.
CREATE OR REPLACE FUNCTION cloakroom_count_usage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM cloakroom_add_usage('user', a.uploader_id, sum(a.size_bytes)::bigint, count(*)) FROM came a
      WHERE a.uploader_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.uploader_id;
    PERFORM cloakroom_add_usage('dialog', a.dialog_id, sum(a.size_bytes)::bigint, count(*)) FROM came a
      WHERE a.dialog_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.dialog_id;
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM cloakroom_add_usage('user', a.uploader_id, -sum(a.size_bytes)::bigint, -count(*)) FROM gone a
      WHERE a.uploader_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.uploader_id;
    PERFORM cloakroom_add_usage('dialog', a.dialog_id, -sum(a.size_bytes)::bigint, -count(*)) FROM gone a
      WHERE a.dialog_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.dialog_id;
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM cloakroom_add_usage(c.kind, c.id, sum(c.bytes)::bigint, sum(c.files)::bigint)
       FROM (SELECT 'user' AS kind, a.uploader_id AS id, a.size_bytes AS bytes, 1 AS files FROM came a
             UNION ALL SELECT 'user', a.uploader_id, -a.size_bytes, -1 FROM gone a
             UNION ALL SELECT 'dialog', a.dialog_id, a.size_bytes, 1 FROM came a
             UNION ALL SELECT 'dialog', a.dialog_id, -a.size_bytes, -1 FROM gone a) c
      WHERE c.id IS NOT NULL AND c.bytes IS NOT NULL GROUP BY c.kind, c.id;
  ELSE  -- TRUNCATE: before it, for it shows no rows
    PERFORM cloakroom_add_usage('user', a.uploader_id, -sum(a.size_bytes)::bigint, -count(*)) FROM attachments a
      WHERE a.uploader_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.uploader_id;
    PERFORM cloakroom_add_usage('dialog', a.dialog_id, -sum(a.size_bytes)::bigint, -count(*)) FROM attachments a
      WHERE a.dialog_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.dialog_id;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_link_within(p_ids uuid[], p_message_id text, p_dialog_id text, p_uploader_id text,
                                                 p_by_service boolean, p_most_bytes bigint, p_most_files bigint)
RETURNS SETOF attachments
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
  v_bytes bigint;
  v_files bigint;
  v_used  record;
BEGIN
  IF NOT EXISTS (SELECT FROM usage_counting) THEN
    RAISE EXCEPTION 'a quota is set, but what is stored was never counted: run cloakroom migrate';
  END IF;
  -- The locks of cloakroom_link(), in its order: what is looked at here is what it will find.
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/message/' || p_message_id, 0));
  PERFORM FROM attachments WHERE id = ANY (p_ids) ORDER BY id FOR UPDATE;
  SELECT coalesce(sum(a.size_bytes), 0), count(*) INTO v_bytes, v_files
    FROM attachments a
   WHERE a.id = ANY (p_ids) AND a.dialog_id IS DISTINCT FROM p_dialog_id AND a.external_url IS NULL;

  RETURN QUERY SELECT * FROM cloakroom_link(p_ids, p_message_id, p_dialog_id, p_uploader_id, p_by_service);

  IF p_dialog_id IS NULL OR v_files = 0 THEN
    RETURN;
  END IF;
  -- They are in the dialog by now, and so in what it takes.
  IF cloakroom_find_room_of('dialog', p_dialog_id, 0, 0, p_most_bytes, p_most_files) IS NOT NULL THEN
    v_used := cloakroom_usage_of_dialog(p_dialog_id);
    RAISE EXCEPTION USING ERRCODE = 'CL413', MESSAGE = cloakroom_quota_sentence(
      'dialog', greatest(0, v_used.bytes - v_bytes), greatest(0, v_used.files - v_files), v_bytes, v_files, p_most_bytes,
      p_most_files);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_recount_usage()
RETURNS TABLE (kind text, id text, bytes_off bigint, files_off bigint)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/recount', 0));
  RETURN QUERY
  WITH counted AS (
    SELECT 'user' AS kind, a.uploader_id AS id, sum(a.size_bytes)::bigint AS bytes, count(*) AS files
      FROM attachments a WHERE a.uploader_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.uploader_id
    UNION ALL
    SELECT 'dialog', a.dialog_id, sum(a.size_bytes)::bigint, count(*)
      FROM attachments a WHERE a.dialog_id IS NOT NULL AND a.external_url IS NULL GROUP BY a.dialog_id),
  known AS (
    SELECT t.kind, t.id, sum(t.bytes)::bigint AS bytes, sum(t.files)::bigint AS files
      FROM usage_totals t GROUP BY t.kind, t.id),
  wrong AS MATERIALIZED (
    SELECT kind, id, coalesce(k.bytes, 0) - coalesce(n.bytes, 0) AS bytes, coalesce(k.files, 0) - coalesce(n.files, 0) AS files
      FROM known k FULL JOIN counted n USING (kind, id)),
  mended AS (
    INSERT INTO usage_totals (kind, id, bytes, files)
    SELECT w.kind, w.id, -w.bytes, -w.files FROM wrong w WHERE w.bytes <> 0 OR w.files <> 0)
  SELECT w.kind, w.id, w.bytes, w.files FROM wrong w WHERE w.bytes <> 0 OR w.files <> 0 ORDER BY w.kind DESC, w.id;
END $$;

-- As in 001, but for one line.
CREATE OR REPLACE FUNCTION cloakroom_link(p_ids uuid[], p_message_id text, p_dialog_id text, p_uploader_id text, p_by_service boolean)
RETURNS SETOF attachments
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
DECLARE
  v_wanted   bigint;
  v_linked   bigint;   -- already tied to this very message by this uploader: the answer of an earlier call was lost
  v_linkable bigint;
  v_dialogs  bigint;
  v_dialog   text;
BEGIN
  -- One link at a time for a message: two at once would each see it without the other's files and both pass the check below.
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/message/' || p_message_id, 0));
  -- In id order, so that two requests with the same ids in different order cannot wait for each other.
  PERFORM FROM attachments WHERE id = ANY (p_ids) ORDER BY id FOR UPDATE;

  SELECT count(DISTINCT u) INTO v_wanted FROM unnest(p_ids) u;
  SELECT count(*) FILTER (WHERE a.status = 'linked' AND a.message_id = p_message_id
                            AND (p_dialog_id IS NULL OR a.dialog_id = p_dialog_id)),
         count(*) FILTER (WHERE a.status = 'uploaded'
                            AND (p_dialog_id IS NULL OR a.dialog_id IS NULL OR a.dialog_id = p_dialog_id)),
         count(DISTINCT coalesce('=' || p_dialog_id, '=' || a.dialog_id, '')),
         min(coalesce(p_dialog_id, a.dialog_id))
    INTO v_linked, v_linkable, v_dialogs, v_dialog
    FROM attachments a
   WHERE a.id = ANY (p_ids) AND a.uploader_id IS NOT DISTINCT FROM p_uploader_id;

  IF v_linked <> v_wanted THEN
    -- One sentence for unknown, foreign and linked: whoever guesses ids learns nothing.
    PERFORM cloakroom_refuse_unless(v_linkable = v_wanted,
      'one of the attachments cannot be linked: it does not exist, is not yours or is linked already; nothing was changed');
    IF NOT p_by_service THEN
      PERFORM cloakroom_refuse_unless(v_dialogs = 1,
        'the attachments belong to different dialogs: a message is in one; nothing was changed');
      -- A dialog that the application never registered is open to whoever knows it; the first registration closes it.
      PERFORM cloakroom_refuse_unless(
        v_dialog IS NULL
        OR EXISTS (SELECT FROM dialog_members m WHERE m.dialog_id = v_dialog AND m.user_id = p_uploader_id)
        OR NOT EXISTS (SELECT FROM dialogs d WHERE d.dialog_id = v_dialog),
        'the attachments cannot be linked in this dialog: you are not one of its members; nothing was changed');
      -- Whoever has the first file of a message in a dialog is its author. Only in that dialog: a guessed message id must not
      -- keep its real author out. Nor must what the application registered in nobody's name.
      PERFORM cloakroom_refuse_unless(
        NOT EXISTS (SELECT FROM attachments a
                     WHERE a.message_id = p_message_id AND a.dialog_id IS NOT DISTINCT FROM v_dialog
                       AND a.uploader_id IS DISTINCT FROM p_uploader_id
                       AND (a.external_url IS NULL OR a.uploader_id IS NOT NULL)),
        'the attachments cannot be added to this message: it has files of somebody else; nothing was changed');
    END IF;
    UPDATE attachments a
       SET status = 'linked', message_id = p_message_id, dialog_id = coalesce(p_dialog_id, a.dialog_id), linked_at = now()
     WHERE a.id = ANY (p_ids);
  END IF;

  RETURN QUERY
    SELECT a.*
      FROM (SELECT u.id, min(u.place) AS place FROM unnest(p_ids) WITH ORDINALITY u (id, place) GROUP BY u.id) wanted
      JOIN attachments a ON a.id = wanted.id
     ORDER BY wanted.place;
END $$;
