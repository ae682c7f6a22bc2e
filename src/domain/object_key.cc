// object_key.cc — the rules that make a key harmless, and the three ways to name one.
#include "domain/object_key.h"

#include <algorithm>

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::string_view kQuarantine = "quarantine/";

// Letters, digits and every non-ASCII character stay; '/', '%', quotes, spaces and the like become '_': they are legal,
// but shells, proxies and stores disagree about them.
std::string tame(std::string_view filename, std::size_t most_bytes) {
  std::string out;
  for (const char c : filename) {
    const auto u = static_cast<unsigned char>(c);
    const bool kept = u >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      c == '.' || c == '-' || c == '_';
    out += kept ? c : '_';
  }
  if (out.size() > most_bytes) {
    std::size_t at = out.size() - most_bytes;  // the end is kept: it has the extension
    while (at < out.size() && (static_cast<unsigned char>(out[at]) & 0xC0U) == 0x80U) ++at;
    out.erase(0, at);
  }
  return out;
}

bool is_lower_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

Result<ObjectKey> ObjectKey::parse(std::string_view text) {
  const auto bad = [](const char* why) { return Error{Errc::kInvalid, std::string("not an object key: ") + why}; };
  if (text.empty() || text.size() > limits::kKeyBytes) return bad("empty or too long");
  if (has_control(text) || text.find('\\') != std::string_view::npos) return bad("control character or backslash");
  if (!is_utf8(text)) return bad("not UTF-8");
  std::size_t start = 0;
  while (true) {
    const std::size_t end = text.find('/', start);
    const std::string_view segment = text.substr(start, end == std::string_view::npos ? end : end - start);
    if (segment.empty() || segment == "." || segment == "..") return bad("empty or dot segment");
    if (segment.size() > limits::kKeySegmentBytes) return bad("segment too long");
    if (end == std::string_view::npos) break;
    start = end + 1;
  }
  return ObjectKey(std::string(text));
}

std::vector<std::string> key_folders(const KeyRule& rule) {
  std::vector<std::string> folders;
  for (std::size_t slash = rule.prefix.find('/'); slash != std::string::npos;
       slash = rule.prefix.find('/', slash + 1)) {
    folders.push_back(rule.prefix.substr(0, slash));
  }
  if (rule.naming == KeyNaming::kFanout) {
    for (unsigned value = 0; value < 256; ++value) {
      const std::uint8_t byte = static_cast<std::uint8_t>(value);
      folders.push_back(rule.prefix + hex_encode(std::span(&byte, 1)));
    }
  }
  return folders;
}

ObjectKey make_key(const KeyRule& rule, const Uuid& id, std::string_view filename) {
  std::string text = rule.prefix;
  switch (rule.naming) {
    case KeyNaming::kFanout: {
      const std::string hex = to_hex(id);
      text.append(hex, 30, 2).append("/").append(hex);  // the last byte is random, the first ones are the time
      break;
    }
    case KeyNaming::kUuidName:
      text.append(to_string(id)).append("_").append(tame(filename, limits::kKeySegmentBytes - 37));
      break;
    case KeyNaming::kFolder: {
      std::string name = tame(filename, limits::kKeySegmentBytes);
      if (name == "." || name == "..") name.insert(0, 1, '_');
      text.append(to_string(id)).append("/").append(name);
      break;
    }
  }
  auto key = ObjectKey::parse(text);
  if (!key) BUG("a key made by rule was refused");
  return *std::move(key);
}

bool is_own_key(std::string_view prefix, std::string_view key) {
  if (key.substr(0, prefix.size()) != prefix) return false;
  key.remove_prefix(prefix.size());
  if (key.size() == 35 && key[2] == '/') {  // fanout
    return std::all_of(key.begin() + 3, key.end(), is_lower_hex) && key.substr(0, 2) == key.substr(33, 2);
  }
  return key.size() > 37 && parse_uuid(key.substr(0, 36)) && (key[36] == '_' || key[36] == '/');
}

ObjectKey quarantine_key(std::string_view prefix, const Uuid& ticket) {
  auto key = ObjectKey::parse(std::string(prefix).append(kQuarantine).append(to_hex(ticket)));
  if (!key) BUG("a key made by rule was refused");
  return *std::move(key);
}

std::optional<Uuid> quarantined_ticket(std::string_view prefix, std::string_view key) {
  if (key.substr(0, prefix.size()) != prefix) return std::nullopt;
  key.remove_prefix(prefix.size());
  if (key.substr(0, kQuarantine.size()) != kQuarantine) return std::nullopt;
  key.remove_prefix(kQuarantine.size());
  if (key.size() != 32 || !std::all_of(key.begin(), key.end(), is_lower_hex)) return std::nullopt;
  std::string dashed(key);
  for (const std::size_t at : {std::size_t{8}, std::size_t{13}, std::size_t{18}, std::size_t{23}})
    dashed.insert(at, 1, '-');
  const auto id = parse_uuid(dashed);
  return id ? std::optional(*id) : std::nullopt;
}

}  // namespace cloakroom
