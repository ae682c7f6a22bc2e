-- 001_attachments.sql — rows of stored files, the queue of work to do later, and who may read a dialog.
--
-- Run by `cloakroom migrate` in one transaction, in the schema that search_path names first, with pg_temp named last: the
-- functions below keep that path (SET search_path FROM CURRENT), so nobody's temporary table can stand in for one of ours.

CREATE TABLE attachments (
  id          uuid        PRIMARY KEY,           -- UUIDv7: rows made together lie together in the index
  status      text        NOT NULL DEFAULT 'uploaded' CHECK (status IN ('uploaded', 'linked')),
  uploader_id text,                              -- ids of users, dialogs and messages are the application's; null: the service
  dialog_id   text,
  message_id  text,
  account_id  text,
  filename    text        NOT NULL,
  mime_type   text        NOT NULL,
  size_bytes  bigint      NOT NULL CHECK (size_bytes >= 0),
  sha256      bytea       NOT NULL CHECK (octet_length(sha256) = 32),
  store       text        NOT NULL,
  key         text        NOT NULL,
  width       integer,
  height      integer,
  created_at  timestamptz NOT NULL,              -- written by the worker: it is part of Last-Modified and of the answer
  linked_at   timestamptz,
  -- A file of a message must go when the message goes, and a file without one must be found by the clean-up.
  CONSTRAINT attachments_linked_has_message CHECK ((status = 'linked') = (message_id IS NOT NULL)),
  -- Two rows for one object: deleting either would take the bytes of the other.
  CONSTRAINT attachments_one_row_an_object UNIQUE (store, key)
);

-- The batch read, removal with the message, and the check of who else has files there. Only linked rows have a message.
CREATE INDEX attachments_by_message ON attachments (message_id, created_at, id) WHERE message_id IS NOT NULL;
-- "My uploads that are not sent yet", newest first.
CREATE INDEX attachments_unlinked ON attachments (uploader_id, created_at DESC, id DESC) WHERE status = 'uploaded';
-- The clean-up walks what nobody claimed, oldest first. Partial: linked rows, nearly all, cost it nothing.
CREATE INDEX attachments_stale ON attachments (created_at, id) WHERE status = 'uploaded';

CREATE TABLE jobs (
  id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind         text        NOT NULL,
  payload      jsonb       NOT NULL DEFAULT '{}',
  priority     smallint    NOT NULL DEFAULT 0,   -- higher first
  run_at       timestamptz NOT NULL DEFAULT now(),
  attempts     integer     NOT NULL DEFAULT 0,   -- counted when a runner takes the job: 0 = nobody ever started it
  locked_until timestamptz,                      -- a runner that died does not hold its jobs for ever
  locked_by    text,
  last_error   text,
  created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX jobs_ready ON jobs (priority DESC, run_at, id);
CREATE INDEX jobs_due ON jobs (run_at);          -- how long an idle runner may sleep
-- A queue is mostly dead rows: vacuum by number, not by a share of a table that is often empty.
ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, fillfactor = 80);

CREATE TABLE dialog_members (
  dialog_id text NOT NULL,
  user_id   text NOT NULL,
  PRIMARY KEY (dialog_id, user_id)
);

-- Dialogs the application has ever told us the members of. An empty dialog stays closed: nobody may link in it.
CREATE TABLE dialogs (
  dialog_id     text        PRIMARY KEY,
  registered_at timestamptz NOT NULL DEFAULT now()
);

-- A batch read asks for one user in hundreds of dialogs: the server turns that into the set of the user's dialogs.
CREATE INDEX dialog_members_by_user ON dialog_members (user_id, dialog_id);

-- Deletion of a row, by whatever way, puts its object on the queue: our own statements, the application's SQL, a cascade.
-- SECURITY DEFINER: the application's role may delete attachments and need not be able to write jobs.
-- Once a statement, with all rows: a million rows are one INSERT and one notification.
CREATE FUNCTION cloakroom_enqueue_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', gone.store, 'key', gone.key) FROM gone;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_deleted AFTER DELETE ON attachments
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_enqueue_deleted();

-- TRUNCATE shows no rows to a trigger, so they are read before it.
CREATE FUNCTION cloakroom_enqueue_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO jobs (kind, payload)
  SELECT 'delete_object', jsonb_build_object('store', a.store, 'key', a.key) FROM attachments a;
  IF FOUND THEN
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_truncated BEFORE TRUNCATE ON attachments
FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_enqueue_truncated();

-- Ends the statement it stands in, and with it everything the statement did, unless `ok`. CL409 is ours: the worker answers
-- 409 with the sentence, which a client reads.
CREATE FUNCTION cloakroom_refuse_unless(ok boolean, sentence text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
  IF ok IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CL409', MESSAGE = sentence;
  END IF;
  RETURN true;
END $$;

-- Ties uploads to a message: all of them or none. Returns the rows in the order asked for, each once.
CREATE FUNCTION cloakroom_link(p_ids uuid[], p_message_id text, p_dialog_id text, p_uploader_id text, p_by_service boolean)
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
      -- keep its real author out.
      PERFORM cloakroom_refuse_unless(
        NOT EXISTS (SELECT FROM attachments a
                     WHERE a.message_id = p_message_id AND a.dialog_id IS NOT DISTINCT FROM v_dialog
                       AND a.uploader_id IS DISTINCT FROM p_uploader_id),
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

-- The members of a dialog become exactly these. Locked: of two at once the later wins as a whole, never a mixture.
CREATE FUNCTION cloakroom_replace_members(p_dialog_id text, p_user_ids text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '/dialog/' || p_dialog_id, 0));
  INSERT INTO dialogs (dialog_id) VALUES (p_dialog_id) ON CONFLICT DO NOTHING;
  DELETE FROM dialog_members m
   WHERE m.dialog_id = p_dialog_id
     AND NOT EXISTS (SELECT FROM unnest(p_user_ids) u (user_id) WHERE u.user_id = m.user_id);
  INSERT INTO dialog_members (dialog_id, user_id)
  SELECT DISTINCT p_dialog_id, u FROM unnest(p_user_ids) u
  ON CONFLICT DO NOTHING;
END $$;

-- A trigger function needs no right to be run by a trigger; called by hand it has no business.
REVOKE ALL ON FUNCTION cloakroom_enqueue_deleted(), cloakroom_enqueue_truncated() FROM PUBLIC;
