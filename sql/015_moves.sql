-- 015_moves.sql — what a move from one store to another leaves behind, until nobody can be reading it any more.

-- An object whose row names its copy in another store by now. It goes when `remove_after` is over: then it becomes a job
-- 'delete_object'. Until then a move back may have it again.
CREATE TABLE moved_sources (
  store        text        NOT NULL,
  key          text        NOT NULL,
  row_key      text        NOT NULL,             -- that the row has now
  size_bytes   bigint      NOT NULL,             -- as many slices nginx's copy of it may have
  remove_after timestamptz NOT NULL,
  PRIMARY KEY (store, key)
);
CREATE INDEX moved_sources_due ON moved_sources (remove_after);
CREATE INDEX moved_sources_of ON moved_sources (row_key);
-- A plan asks for deletions of some keys, however many jobs there are.
CREATE INDEX jobs_deletions ON jobs ((payload->>'key')) WHERE kind = 'delete_object';
CREATE INDEX dead_jobs_deletions ON dead_jobs ((payload->>'key')) WHERE kind = 'delete_object';

-- Whoever deletes a file deletes what its move left, too: now, not after the time for readers.
CREATE FUNCTION cloakroom_hasten_moved_sources() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  -- In the order of keys, as a plan locks them: two who wait for each other would be a deletion that fails.
  PERFORM FROM moved_sources s WHERE s.row_key IN (SELECT gone.key FROM gone) ORDER BY s.store, s.key FOR UPDATE;
  IF FOUND THEN
    UPDATE moved_sources s SET remove_after = now() WHERE s.row_key IN (SELECT gone.key FROM gone);
    PERFORM pg_notify('cloakroom_jobs', '');
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_deleted_sources AFTER DELETE ON attachments
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_hasten_moved_sources();
CREATE TRIGGER variants_deleted_sources AFTER DELETE ON variants
REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_hasten_moved_sources();

-- TRUNCATE of the originals takes all previews along. Of the previews alone: theirs go when their time comes.
CREATE FUNCTION cloakroom_hasten_all_moved_sources() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE moved_sources SET remove_after = now();
  RETURN NULL;
END $$;

CREATE TRIGGER attachments_truncated_sources BEFORE TRUNCATE ON attachments
FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_hasten_all_moved_sources();

-- Before copies come into p_store under p_keys: a deletion ticket for each, due after p_life and not before readers of an
-- earlier move are through. Whatever was to be deleted under such a key and was not begun is called off. Where a deletion
-- may be under way, or somebody has the key, the copy gets the one of p_others in the same place. `was_known`: something may
-- lie there.
CREATE FUNCTION cloakroom_plan_moves(p_store text, p_keys text[], p_others text[], p_life interval)
RETURNS TABLE (place bigint, key text, ticket bigint, was_known boolean)
LANGUAGE plpgsql VOLATILE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
  v_taken text[];
  v_due   timestamptz;
  v_known text[];
BEGIN
  -- One statement after the other, each with a look of its own: whoever makes a job of one of these at this moment is waited
  -- for here, and his job is seen below. From here on nobody begins one of them.
  PERFORM FROM moved_sources s WHERE s.store = p_store AND s.key = ANY (p_keys) ORDER BY s.store, s.key FOR UPDATE;
  PERFORM FROM deletion_tickets t WHERE t.store = p_store AND t.key = ANY (p_keys) ORDER BY t.id FOR UPDATE;
  PERFORM FROM jobs j
    WHERE j.kind = 'delete_object' AND j.payload->>'store' = p_store AND j.payload->>'key' = ANY (p_keys)
      AND j.attempts = 0
    ORDER BY j.id FOR UPDATE;

  -- attempts: counted when a runner takes a job (001). One that was taken and failed may have sent a request that the store
  -- has yet to carry out; a dead letter may be tried again.
  SELECT array_agg(taken.key) INTO v_taken FROM (
    SELECT j.payload->>'key' AS key FROM jobs j
     WHERE j.kind = 'delete_object' AND j.payload->>'store' = p_store AND j.payload->>'key' = ANY (p_keys)
       AND (j.attempts > 0 OR j.locked_until IS NOT NULL)
    UNION ALL
    SELECT d.payload->>'key' FROM dead_jobs d
     WHERE d.kind = 'delete_object' AND d.payload->>'store' = p_store AND d.payload->>'key' = ANY (p_keys)
    UNION ALL
    SELECT o.key FROM tombstone_objects o WHERE o.store = p_store AND o.key = ANY (p_keys)
    UNION ALL
    SELECT a.key FROM attachments a WHERE a.store = p_store AND a.key = ANY (p_keys)
    UNION ALL
    SELECT v.key FROM variants v WHERE v.store = p_store AND v.key = ANY (p_keys)) taken;
  v_taken := coalesce(v_taken, '{}');

  WITH sources AS (
    DELETE FROM moved_sources s
     WHERE s.store = p_store AND s.key = ANY (p_keys) AND s.key <> ALL (v_taken) RETURNING s.key, s.remove_after),
  tickets AS (
    DELETE FROM deletion_tickets t
     WHERE t.store = p_store AND t.key = ANY (p_keys) AND t.key <> ALL (v_taken) RETURNING t.key),
  unbegun AS (
    DELETE FROM jobs j
     WHERE j.kind = 'delete_object' AND j.payload->>'store' = p_store AND j.payload->>'key' = ANY (p_keys)
       AND j.payload->>'key' <> ALL (v_taken) RETURNING j.payload->>'key' AS key),
  called_off AS (
    SELECT s.key, s.remove_after FROM sources s
    UNION ALL SELECT t.key, NULL FROM tickets t UNION ALL SELECT u.key, NULL FROM unbegun u)
  SELECT greatest(now() + p_life, max(c.remove_after)), coalesce(array_agg(c.key), '{}') INTO v_due, v_known
    FROM called_off c;

  RETURN QUERY
    WITH chosen AS (
      SELECT w.place, CASE WHEN w.key = ANY (v_taken) THEN w.other ELSE w.key END AS key
        FROM unnest(p_keys, p_others) WITH ORDINALITY w (key, other, place)),
    promised AS (
      INSERT INTO deletion_tickets (store, key, due_at)
      SELECT p_store, c.key, v_due FROM chosen c RETURNING id, deletion_tickets.key)
    SELECT c.place, c.key, p.id, c.key = ANY (v_known) FROM chosen c JOIN promised p ON p.key = c.key;
END $$;

REVOKE ALL ON FUNCTION cloakroom_hasten_moved_sources(), cloakroom_hasten_all_moved_sources() FROM PUBLIC;
