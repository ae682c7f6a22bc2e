// attachment_json.h — an attachment as the JSON of docs/api.md.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "routes/app.h"

namespace cloakroom {

Json attachment_json(const App& app, const Attachment& attachment);
// "/api/files/ID/NAME": the address here, whatever the delivery.
std::string stable_url(const App& app, const Attachment& attachment);
std::string attachments_text(const App& app, std::span<const Attachment> attachments);  // a JSON array

// What every file answer says of its bytes.
struct FileHeaders {
  std::string etag, content_type, disposition;
};
FileHeaders file_headers(const Attachment& attachment, bool force_download);

}  // namespace cloakroom
