-- 003_direct_uploads.sql — tickets for uploads that go straight to the store, from their promise to their attachment.

CREATE TABLE direct_uploads (
  id            uuid        PRIMARY KEY,         -- UUIDv7, of the ticket
  uploader_id   text,                            -- who may complete it; null: the service itself
  dialog_id     text,
  filename      text        NOT NULL,
  declared_type text        NOT NULL,
  size_bytes    bigint      NOT NULL CHECK (size_bytes >= 0),
  sha256        bytea       CHECK (octet_length(sha256) = 32),  -- as declared; null: not declared
  key           text        NOT NULL,            -- in the S3 store, below quarantine/
  upload_id     text,                            -- of the store's multipart upload
  part_bytes    bigint      NOT NULL,            -- 0: not in parts
  expires_at    timestamptz NOT NULL,
  -- Set by the commit. No foreign key: when the attachment goes, a repeated call must find nothing, not begin anew.
  attachment_id uuid
);

-- The clean-up walks what expired.
CREATE INDEX direct_uploads_by_expiry ON direct_uploads (expires_at);
