-- 011_usage_mends.sql — totals that stay few and never fall below nothing, uploads that keep their place while they are
-- completed, and previews of files in quarantine.

-- What is being completed keeps its place beyond its expiry: it may still become an attachment.
ALTER TABLE direct_uploads ADD COLUMN held_until timestamptz;

-- As in 008, but it also merges: whoever found a part free looks how many there are. So do both kinds, whichever has a
-- limit, and by whatever way they grew. Where all parts are locked there is nothing to merge.
CREATE OR REPLACE FUNCTION cloakroom_add_usage(p_kind text, p_id text, p_bytes bigint, p_files bigint) RETURNS void
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
    RETURN;
  END IF;
  UPDATE usage_totals t SET bytes = t.bytes + p_bytes, files = t.files + p_files
   WHERE t.kind = p_kind AND t.id = p_id AND t.part = v_part;
  IF (SELECT count(*) FROM usage_totals t WHERE t.kind = p_kind AND t.id = p_id) >= 32 THEN
    PERFORM cloakroom_merge_usage(p_kind, p_id);
  END IF;
END $$;

-- As in 008. Files that were restored without triggers were never counted, and take what they are from the total when
-- they go: below nothing it would be room for more than the quota. A recount puts it right.
CREATE OR REPLACE FUNCTION cloakroom_usage_of_user(p_id text, OUT bytes bigint, OUT files bigint, OUT parts bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT greatest(0, k.bytes) + coalesce(sum(u.bytes), 0), greatest(0, k.files) + count(u.bytes), k.parts
    INTO bytes, files, parts
    FROM (SELECT coalesce(sum(t.bytes), 0) AS bytes, coalesce(sum(t.files), 0) AS files, count(*) AS parts
            FROM usage_totals t WHERE t.kind = 'user' AND t.id = p_id) k
    LEFT JOIN (SELECT d.size_bytes AS bytes FROM deletion_tickets d WHERE d.uploader_id = p_id AND d.size_bytes IS NOT NULL
               UNION ALL SELECT d.size_bytes FROM direct_uploads d
                          WHERE d.uploader_id = p_id AND d.attachment_id IS NULL
                            AND greatest(d.expires_at, d.held_until) > now()) u ON true
   GROUP BY k.bytes, k.files, k.parts;
END $$;

CREATE OR REPLACE FUNCTION cloakroom_usage_of_dialog(p_id text, OUT bytes bigint, OUT files bigint, OUT parts bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT greatest(0, k.bytes) + coalesce(sum(u.bytes), 0), greatest(0, k.files) + count(u.bytes), k.parts
    INTO bytes, files, parts
    FROM (SELECT coalesce(sum(t.bytes), 0) AS bytes, coalesce(sum(t.files), 0) AS files, count(*) AS parts
            FROM usage_totals t WHERE t.kind = 'dialog' AND t.id = p_id) k
    LEFT JOIN (SELECT d.size_bytes AS bytes FROM deletion_tickets d WHERE d.dialog_id = p_id AND d.size_bytes IS NOT NULL
               UNION ALL SELECT d.size_bytes FROM direct_uploads d
                          WHERE d.dialog_id = p_id AND d.attachment_id IS NULL
                            AND greatest(d.expires_at, d.held_until) > now()) u ON true
   GROUP BY k.bytes, k.files, k.parts;
END $$;

-- As in 007 and 009: only what lies in S3 passes nginx's cache, but previews may lie there when their original does not.
-- So this is asked about every file that comes into quarantine, and lists of the file and of what was made of it what
-- is in S3.
CREATE OR REPLACE FUNCTION cloakroom_note_quarantined() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO cache_purges (key, size_bytes)
  SELECT NEW.key, NEW.size_bytes WHERE NEW.store = 's3'
  UNION ALL SELECT v.key, v.size_bytes FROM variants v WHERE v.attachment_id = NEW.id AND v.store = 's3';
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER attachments_quarantined_note AFTER UPDATE OF status ON attachments
FOR EACH ROW WHEN (NEW.status = 'quarantined' AND OLD.status <> 'quarantined')
EXECUTE FUNCTION cloakroom_note_quarantined();
