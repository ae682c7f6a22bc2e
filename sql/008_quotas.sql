-- 008_quotas.sql — how much each user and each dialog takes, and whether there is room for more.
--
-- What somebody takes is: his attachments (usage_totals), the uploads under way that hold a place (deletion_tickets with
-- size_bytes), and his open tickets for direct uploads. One statement reads all of it, so what goes from one to another in
-- a transaction is never counted twice or not at all.
--
-- A total is a sum of rows: whoever counts takes one that nobody else has locked, or adds one. So no transaction that
-- writes attachments, of the application neither, waits for another one to be counted. A quota is asked for under a lock
-- of its user or dialog, which ends with the short transaction that makes the tickets.
--
-- The triggers are off until cloakroom_start_counting(): who has no quotas pays for none.

CREATE TABLE usage_totals (
  kind  text   NOT NULL CHECK (kind IN ('user', 'dialog')),
  id    text   NOT NULL,
  part  bigint GENERATED ALWAYS AS IDENTITY,
  bytes bigint NOT NULL,
  files bigint NOT NULL,
  PRIMARY KEY (kind, id, part)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- A row when the totals are true.
CREATE TABLE usage_counting (
  single boolean     PRIMARY KEY DEFAULT true CHECK (single),
  since  timestamptz NOT NULL DEFAULT now()
);

-- With a size, a ticket holds a place for one file, until it is gone or the size is taken back.
ALTER TABLE deletion_tickets
  ADD COLUMN uploader_id text,
  ADD COLUMN dialog_id   text,
  ADD COLUMN size_bytes  bigint;

-- Partial: tickets that hold no place, all of them without quotas, cost them nothing.
CREATE INDEX deletion_tickets_of_user ON deletion_tickets (uploader_id)
  WHERE size_bytes IS NOT NULL AND uploader_id IS NOT NULL;
CREATE INDEX deletion_tickets_of_dialog ON deletion_tickets (dialog_id)
  WHERE size_bytes IS NOT NULL AND dialog_id IS NOT NULL;
CREATE INDEX direct_uploads_of_user ON direct_uploads (uploader_id)
  WHERE attachment_id IS NULL AND uploader_id IS NOT NULL;
CREATE INDEX direct_uploads_of_dialog ON direct_uploads (dialog_id)
  WHERE attachment_id IS NULL AND dialog_id IS NOT NULL;

-- Adds to the totals. Never waits: parts that others have locked are passed over. Where the transaction cannot see what
-- others committed meanwhile it must not touch what they touched, so it adds parts. This and the functions without a
-- search_path are called with ours, by our sessions or by functions that set it: setting it costs more than they do.
CREATE FUNCTION cloakroom_add_usage(p_kind text, p_id text, p_bytes bigint, p_files bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_part bigint;
BEGIN
  IF p_bytes = 0 AND p_files = 0 THEN
    RETURN;
  END IF;
  IF current_setting('transaction_isolation') = 'read committed' THEN
    SELECT t.part INTO v_part FROM usage_totals t WHERE t.kind = p_kind AND t.id = p_id LIMIT 1 FOR UPDATE SKIP LOCKED;
  END IF;
  IF v_part IS NULL THEN
    INSERT INTO usage_totals (kind, id, bytes, files) VALUES (p_kind, p_id, p_bytes, p_files);
  ELSE
    UPDATE usage_totals t SET bytes = t.bytes + p_bytes, files = t.files + p_files
     WHERE t.kind = p_kind AND t.id = p_id AND t.part = v_part;
  END IF;
END $$;

-- By whatever way: our statements, the application's SQL, a cascade. SECURITY DEFINER as in 001.
CREATE FUNCTION cloakroom_count_usage() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM cloakroom_add_usage('user', a.uploader_id, sum(a.size_bytes)::bigint, count(*)) FROM came a
      WHERE a.uploader_id IS NOT NULL GROUP BY a.uploader_id;
    PERFORM cloakroom_add_usage('dialog', a.dialog_id, sum(a.size_bytes)::bigint, count(*)) FROM came a
      WHERE a.dialog_id IS NOT NULL GROUP BY a.dialog_id;
  ELSIF TG_OP = 'DELETE' THEN
    PERFORM cloakroom_add_usage('user', a.uploader_id, -sum(a.size_bytes)::bigint, -count(*)) FROM gone a
      WHERE a.uploader_id IS NOT NULL GROUP BY a.uploader_id;
    PERFORM cloakroom_add_usage('dialog', a.dialog_id, -sum(a.size_bytes)::bigint, -count(*)) FROM gone a
      WHERE a.dialog_id IS NOT NULL GROUP BY a.dialog_id;
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM cloakroom_add_usage(c.kind, c.id, sum(c.bytes)::bigint, sum(c.files)::bigint)
       FROM (SELECT 'user' AS kind, a.uploader_id AS id, a.size_bytes AS bytes, 1 AS files FROM came a
             UNION ALL SELECT 'user', a.uploader_id, -a.size_bytes, -1 FROM gone a
             UNION ALL SELECT 'dialog', a.dialog_id, a.size_bytes, 1 FROM came a
             UNION ALL SELECT 'dialog', a.dialog_id, -a.size_bytes, -1 FROM gone a) c
      WHERE c.id IS NOT NULL GROUP BY c.kind, c.id;
  ELSE  -- TRUNCATE: before it, for it shows no rows
    PERFORM cloakroom_add_usage('user', a.uploader_id, -sum(a.size_bytes)::bigint, -count(*)) FROM attachments a
      WHERE a.uploader_id IS NOT NULL GROUP BY a.uploader_id;
    PERFORM cloakroom_add_usage('dialog', a.dialog_id, -sum(a.size_bytes)::bigint, -count(*)) FROM attachments a
      WHERE a.dialog_id IS NOT NULL GROUP BY a.dialog_id;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_came_count AFTER INSERT ON attachments
REFERENCING NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_count_usage();
CREATE TRIGGER attachments_gone_count AFTER DELETE ON attachments
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_count_usage();
CREATE TRIGGER attachments_changed_count AFTER UPDATE ON attachments
REFERENCING OLD TABLE AS gone NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_count_usage();
CREATE TRIGGER attachments_truncated_count BEFORE TRUNCATE ON attachments
FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_count_usage();

ALTER TABLE attachments DISABLE TRIGGER attachments_came_count;
ALTER TABLE attachments DISABLE TRIGGER attachments_gone_count;
ALTER TABLE attachments DISABLE TRIGGER attachments_changed_count;
ALTER TABLE attachments DISABLE TRIGGER attachments_truncated_count;

-- What one user or dialog takes now, uploads under way included; `parts`: of how many rows the total is the sum.
-- In plpgsql, which keeps the plan for the session.
CREATE FUNCTION cloakroom_usage_of_user(p_id text, OUT bytes bigint, OUT files bigint, OUT parts bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT coalesce(sum(u.bytes), 0), coalesce(sum(u.files), 0), coalesce(sum(u.parts), 0) INTO bytes, files, parts
    FROM (SELECT t.bytes, t.files, 1 AS parts FROM usage_totals t WHERE t.kind = 'user' AND t.id = p_id
          UNION ALL SELECT d.size_bytes, 1, 0 FROM deletion_tickets d WHERE d.uploader_id = p_id AND d.size_bytes IS NOT NULL
          UNION ALL SELECT d.size_bytes, 1, 0 FROM direct_uploads d
                     WHERE d.uploader_id = p_id AND d.attachment_id IS NULL AND d.expires_at > now()) u;
END $$;

CREATE FUNCTION cloakroom_usage_of_dialog(p_id text, OUT bytes bigint, OUT files bigint, OUT parts bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT coalesce(sum(u.bytes), 0), coalesce(sum(u.files), 0), coalesce(sum(u.parts), 0) INTO bytes, files, parts
    FROM (SELECT t.bytes, t.files, 1 AS parts FROM usage_totals t WHERE t.kind = 'dialog' AND t.id = p_id
          UNION ALL SELECT d.size_bytes, 1, 0 FROM deletion_tickets d WHERE d.dialog_id = p_id AND d.size_bytes IS NOT NULL
          UNION ALL SELECT d.size_bytes, 1, 0 FROM direct_uploads d
                     WHERE d.dialog_id = p_id AND d.attachment_id IS NULL AND d.expires_at > now()) u;
END $$;

-- Makes one row of the parts of a total that nobody has locked.
CREATE FUNCTION cloakroom_merge_usage(p_kind text, p_id text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  WITH free AS MATERIALIZED (
    SELECT t.part FROM usage_totals t WHERE t.kind = p_kind AND t.id = p_id FOR UPDATE SKIP LOCKED),
  taken AS (
    DELETE FROM usage_totals t USING free f WHERE t.kind = p_kind AND t.id = p_id AND t.part = f.part
    RETURNING t.bytes, t.files)
  INSERT INTO usage_totals (kind, id, bytes, files)
  SELECT p_kind, p_id, sum(n.bytes), sum(n.files) FROM taken n HAVING count(*) > 0;
END $$;

-- Null when there is room, else the sentence for the client. Limits of 0 are none.
CREATE FUNCTION cloakroom_quota_sentence(p_whose text, p_used_bytes bigint, p_used_files bigint, p_bytes bigint,
                                         p_files bigint, p_most_bytes bigint, p_most_files bigint) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF p_most_bytes > 0 AND p_used_bytes + p_bytes > p_most_bytes THEN
    RETURN format('The quota of the %s is %s bytes; %s are left, and this takes %s. Remove files first. Nothing was kept.',
                  p_whose, p_most_bytes, greatest(0, p_most_bytes - p_used_bytes), p_bytes);
  ELSIF p_most_files > 0 AND p_used_files + p_files > p_most_files THEN
    RETURN format('The quota of the %s is %s files; %s are left, and this has %s. Remove files first. Nothing was kept.',
                  p_whose, p_most_files, greatest(0, p_most_files - p_used_files), p_files);
  END IF;
  RETURN NULL;
END $$;

-- Of one user or dialog, as cloakroom_find_room() below. The lock is held until the transaction ends. Users and dialogs have
-- none in common, and users come first: no two requests wait for each other in a circle.
CREATE FUNCTION cloakroom_find_room_of(p_kind text, p_id text, p_bytes bigint, p_files bigint, p_most_bytes bigint,
                                       p_most_files bigint) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_hash bigint := hashtextextended(current_schema() || '/usage/' || p_id, 0);
  v_used record;
BEGIN
  PERFORM pg_advisory_xact_lock(CASE WHEN p_kind = 'user' THEN v_hash & ~1::bigint ELSE v_hash | 1 END);
  IF p_kind = 'user' THEN
    v_used := cloakroom_usage_of_user(p_id);
  ELSE
    v_used := cloakroom_usage_of_dialog(p_id);
  END IF;
  IF v_used.parts >= 32 THEN
    PERFORM cloakroom_merge_usage(p_kind, p_id);
  END IF;
  IF p_most_bytes > 0 AND v_used.bytes + p_bytes > p_most_bytes
     OR p_most_files > 0 AND v_used.files + p_files > p_most_files THEN
    RETURN cloakroom_quota_sentence(p_kind, v_used.bytes, v_used.files, p_bytes, p_files, p_most_bytes, p_most_files);
  END IF;
  RETURN NULL;
END $$;

-- Null when there is room, which is then kept for the caller until its transaction ends; else the sentence for the client.
-- Nobody is asked about an uploader or dialog that is null or has no limit. p_limits: user bytes, user files, dialog
-- bytes, dialog files.
CREATE FUNCTION cloakroom_find_room(p_uploader_id text, p_dialog_id text, p_by_service boolean, p_bytes bigint,
                                    p_files bigint, p_limits bigint[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_sentence text;
BEGIN
  IF NOT EXISTS (SELECT FROM usage_counting) THEN
    RAISE EXCEPTION 'a quota is set, but what is stored was never counted: run cloakroom migrate';
  END IF;
  IF p_uploader_id IS NOT NULL AND (p_limits[1] > 0 OR p_limits[2] > 0) THEN
    v_sentence := cloakroom_find_room_of('user', p_uploader_id, p_bytes, p_files, p_limits[1], p_limits[2]);
  END IF;
  IF v_sentence IS NULL AND p_dialog_id IS NOT NULL AND (p_limits[3] > 0 OR p_limits[4] > 0) THEN
    -- As in cloakroom_link(): whoever may not link in it must not be able to fill it, nor learn how full it is.
    IF NOT p_by_service AND EXISTS (SELECT FROM dialogs d WHERE d.dialog_id = p_dialog_id)
       AND NOT EXISTS (SELECT FROM dialog_members m WHERE m.dialog_id = p_dialog_id AND m.user_id = p_uploader_id) THEN
      RETURN 'The quota of the dialog is for its members, and you are not one of them. Nothing was kept.';
    END IF;
    v_sentence := cloakroom_find_room_of('dialog', p_dialog_id, p_bytes, p_files, p_limits[3], p_limits[4]);
  END IF;
  RETURN v_sentence;
END $$;

-- The tickets of an upload, which hold its place, in the order of the keys; or one row with the sentence why not.
CREATE FUNCTION cloakroom_plan_within(p_store text, p_keys text[], p_grace interval, p_uploader_id text, p_dialog_id text,
                                      p_by_service boolean, p_sizes bigint[], p_limits bigint[])
RETURNS TABLE (ticket bigint, refusal text)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_bytes bigint := 0;
  v_size  bigint;
BEGIN
  FOREACH v_size IN ARRAY p_sizes LOOP
    v_bytes := v_bytes + v_size;
  END LOOP;
  refusal := cloakroom_find_room(p_uploader_id, p_dialog_id, p_by_service, v_bytes, cardinality(p_sizes), p_limits);
  IF refusal IS NOT NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  SET LOCAL synchronous_commit = off;  -- as every ticket: the row's commit writes the log up to here
  FOR i IN 1 .. cardinality(p_keys) LOOP
    INSERT INTO deletion_tickets (store, key, due_at, uploader_id, dialog_id, size_bytes)
    VALUES (p_store, p_keys[i], now() + p_grace, p_uploader_id, p_dialog_id, p_sizes[i]) RETURNING id INTO ticket;
    RETURN NEXT;
  END LOOP;
END $$;

-- cloakroom_link(), unless it would bring more into the dialog than fits. CL413: the worker answers 413 with the sentence.
CREATE FUNCTION cloakroom_link_within(p_ids uuid[], p_message_id text, p_dialog_id text, p_uploader_id text,
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
    FROM attachments a WHERE a.id = ANY (p_ids) AND a.dialog_id IS DISTINCT FROM p_dialog_id;

  RETURN QUERY SELECT * FROM cloakroom_link(p_ids, p_message_id, p_dialog_id, p_uploader_id, p_by_service);

  IF p_dialog_id IS NULL OR v_files = 0 THEN
    RETURN;
  END IF;
  -- They are in the dialog by now, and so in what it takes.
  IF cloakroom_find_room_of('dialog', p_dialog_id, 0, 0, p_most_bytes, p_most_files) IS NOT NULL THEN
    v_used := cloakroom_usage_of_dialog(p_dialog_id);
    RAISE EXCEPTION USING ERRCODE = 'CL413', MESSAGE = cloakroom_quota_sentence(
      'dialog', v_used.bytes - v_bytes, v_used.files - v_files, v_bytes, v_files, p_most_bytes, p_most_files);
  END IF;
END $$;

-- Counts the attachments anew and puts the totals right. Returns what was wrong, and by how much; nothing, if all was
-- well. One statement looks at rows and totals, so it sees both as of one moment, and what it adds is a difference: nobody
-- has to wait for it, nor it for anybody. Two at once would both add it, so the second one waits.
CREATE FUNCTION cloakroom_recount_usage()
RETURNS TABLE (kind text, id text, bytes_off bigint, files_off bigint)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/recount', 0));
  RETURN QUERY
  WITH counted AS (
    SELECT 'user' AS kind, a.uploader_id AS id, sum(a.size_bytes)::bigint AS bytes, count(*) AS files
      FROM attachments a WHERE a.uploader_id IS NOT NULL GROUP BY a.uploader_id
    UNION ALL
    SELECT 'dialog', a.dialog_id, sum(a.size_bytes)::bigint, count(*)
      FROM attachments a WHERE a.dialog_id IS NOT NULL GROUP BY a.dialog_id),
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

-- Counts from now on. In a transaction of its own, before that of a recount, so that the lock on attachments is short.
-- False: it was counting already.
CREATE FUNCTION cloakroom_start_counting() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM usage_counting) THEN
    RETURN false;
  END IF;
  SET LOCAL lock_timeout = '5s';
  ALTER TABLE attachments ENABLE TRIGGER attachments_came_count;
  ALTER TABLE attachments ENABLE TRIGGER attachments_gone_count;
  ALTER TABLE attachments ENABLE TRIGGER attachments_changed_count;
  ALTER TABLE attachments ENABLE TRIGGER attachments_truncated_count;
  RETURN true;
END $$;

-- For who has given up quotas: no upload pays for them any more.
CREATE FUNCTION cloakroom_stop_counting() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
  SET LOCAL lock_timeout = '5s';
  DELETE FROM usage_counting;
  ALTER TABLE attachments DISABLE TRIGGER attachments_came_count;
  ALTER TABLE attachments DISABLE TRIGGER attachments_gone_count;
  ALTER TABLE attachments DISABLE TRIGGER attachments_changed_count;
  ALTER TABLE attachments DISABLE TRIGGER attachments_truncated_count;
END $$;

REVOKE ALL ON FUNCTION cloakroom_count_usage() FROM PUBLIC;
