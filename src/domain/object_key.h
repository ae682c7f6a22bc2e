// object_key.h — the name of a stored object, safe for every store by construction.
//
// Shape    segments joined by '/': no empty segment, no "." or "..", no leading '/', no control character, no
// backslash,
//          well-formed UTF-8, at most limits::kKeySegmentBytes a segment and limits::kKeyBytes in all.
// Naming   fanout    {prefix}{2 hex}/{32 hex}            256 folders, filled evenly: the 2 digits are random bits of
// the id
//          uuid-name {prefix}{uuid}_{file name}          for people who look into the folder
//          folder    {prefix}{uuid}/{file name}          the object's last segment is the file's own name
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace cloakroom {

enum class KeyNaming { kFanout, kUuidName, kFolder };

class ObjectKey {
 public:
  static Result<ObjectKey> parse(std::string_view text);

  const std::string& str() const { return text_; }
  bool operator==(const ObjectKey&) const = default;

 private:
  explicit ObjectKey(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct KeyRule {
  std::string prefix;  // "" or ends in '/'; checked by read_config
  KeyNaming naming = KeyNaming::kFanout;
};

// The folders that keys of this rule need, each with its parents before it, when they can be known ahead: made once at
// start, no upload has to wait for one to be durable. Empty for the namings with a folder a file.
std::vector<std::string> key_folders(const KeyRule& rule);

// `filename` must come from clean_filename(). Never fails for such a name: characters a store could trip over become
// '_'.
ObjectKey make_key(const KeyRule& rule, const Uuid& id, std::string_view filename);

// Whether make_key() may have made it, with this prefix and any naming: a bucket may hold the keys of others, too.
bool is_own_key(std::string_view prefix, std::string_view key);

// Where the bytes of a direct upload wait for their judgement: {prefix}quarantine/{32 hex of its ticket}.
ObjectKey quarantine_key(std::string_view prefix, const Uuid& ticket);
// The ticket, when quarantine_key() made this key.
std::optional<Uuid> quarantined_ticket(std::string_view prefix, std::string_view key);

}  // namespace cloakroom
