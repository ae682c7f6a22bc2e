// external.h — a file that lives elsewhere: we keep its address, and send whoever may read it there.
//
// Source   RFC 3986; where browsers read an address otherwise (WHATWG URL: a backslash is a slash), it is refused.
// Rule     absolute, http or https, a host, no user or password in it; ASCII without spaces and control characters, at
//          most limits::kExternalUrlBytes. It is kept and sent as it was given.
// Errors   kInvalid   with a sentence for the client that says what to do
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/attachment.h"

namespace cloakroom {

Status check_external_url(std::string_view url);

struct ExternalFile {
  std::string url;
  std::string filename;   // as it came
  std::string mime_type;  // canonical
  std::optional<std::string> uploader_id = {}, dialog_id = {}, message_id = {}, account_id = {};
};

// The row of it, linked where there is a message.
Result<Attachment> external_attachment(const ExternalFile& file, TimePoint now);

}  // namespace cloakroom
