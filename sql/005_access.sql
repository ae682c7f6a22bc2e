-- 005_access.sql — files that were found infected after they had been stored.
--
-- A quarantined row keeps its message and dialog, so it goes when the message goes. Both conditions only become weaker: rows
-- that are there fulfil them, and NOT VALID spares the scan that would keep writers out meanwhile.

ALTER TABLE attachments
  DROP CONSTRAINT attachments_status_check,
  ADD CONSTRAINT attachments_status_check CHECK (status IN ('uploaded', 'linked', 'quarantined')) NOT VALID,
  DROP CONSTRAINT attachments_linked_has_message,
  ADD CONSTRAINT attachments_linked_has_message
    CHECK (status = 'quarantined' OR (status = 'linked') = (message_id IS NOT NULL)) NOT VALID;
