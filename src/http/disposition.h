// disposition.h — the Content-Disposition of an answer: shown or saved, and under which name. Pure.
//
// Source   RFC 6266, RFC 8187.
// Shape    attachment; filename="_berblick 1.jpg"; filename*=UTF-8''%C3%9Cberblick%201.jpg
//          filename= is for clients that know nothing else: quotes, backslashes, '%' and whatever is not printable
//          ASCII are underscores there. filename* is added only when it says more. An empty name gives neither.
// Bytes    Printable ASCII only, whatever the name. Control characters (C0, DEL, C1) are underscores in both forms: a
//          saved file must not have them either. Ill-formed UTF-8 becomes U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

enum class DispositionKind { kInline, kAttachment };

std::string content_disposition(DispositionKind kind, std::string_view filename_utf8);

}  // namespace cloakroom
