// image_protocol.cc — JSON of questions and answers, and the distrust with which it is read.
#include "media/image_protocol.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/json.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::array<std::pair<ImageFormat, std::string_view>, 5> kFormats{{{ImageFormat::kJpeg, "jpeg"},
                                                                            {ImageFormat::kPng, "png"},
                                                                            {ImageFormat::kWebp, "webp"},
                                                                            {ImageFormat::kAvif, "avif"},
                                                                            {ImageFormat::kGif, "gif"}}};
constexpr std::string_view kDataUri = "data:image/webp;base64,";
constexpr std::size_t kTypeBytes = 127;
constexpr std::size_t kDetailBytes = 256;

std::optional<ImageFormat> format_of(std::string_view word) {
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& f) { return f.second == word; });
  return found == kFormats.end() ? std::nullopt : std::optional(found->first);
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Members of an object, each read as what it must be; the first that is not is remembered.
class Members {
 public:
  explicit Members(const Json& object) : object_(object.get()) {}

  std::uint64_t number(const char* name, std::uint64_t least, std::uint64_t most) {
    const json_t* value = json_object_get(object_, name);
    const json_int_t n = json_integer_value(value);
    const bool good = json_is_integer(value) && n >= 0 && static_cast<std::uint64_t>(n) >= least &&
                      static_cast<std::uint64_t>(n) <= most;
    if (!good) note(name);
    return good ? static_cast<std::uint64_t>(n) : least;
  }
  std::uint32_t number32(const char* name, std::uint32_t least, std::uint32_t most) {
    return static_cast<std::uint32_t>(number(name, least, most));
  }
  bool truth(const char* name) {
    const json_t* value = json_object_get(object_, name);
    if (!json_is_boolean(value)) note(name);
    return json_is_true(value);
  }
  std::string text(const char* name, std::size_t most_bytes) {
    const json_t* value = json_object_get(object_, name);
    const std::size_t size = json_string_length(value);
    if (!json_is_string(value) || size > most_bytes) {
      note(name);
      return {};
    }
    return {json_string_value(value), size};
  }
  ImageFormat format(const char* name) {
    const auto found = format_of(text(name, 8));
    if (!found) note(name);
    return found.value_or(ImageFormat::kJpeg);
  }
  bool has(const char* name) const { return json_object_get(object_, name) != nullptr; }
  void note(const char* name) {
    if (wrong_.empty()) wrong_ = name;
  }
  const std::string& wrong() const { return wrong_; }

 private:
  json_t* object_;
  std::string wrong_;
};

Result<Json> parse_object(std::string_view text) {
  if (text.size() > limits::kImageMessageBytes) return Error{Errc::kInvalid, "imager: a message is too long"};
  TRY_ASSIGN(Json object, parse_json(text));
  if (!json_is_object(object.get())) return Error{Errc::kInvalid, "imager: a message is no object"};
  return object;
}

void set(const Json& object, const char* name, std::uint64_t value) {
  json_object_set_new(object.get(), name, json_integer(static_cast<json_int_t>(value)));
}
void set(const Json& object, const char* name, std::string_view value) {
  json_object_set_new(object.get(), name, json_text(value).release());
}

Error bad_answer(std::string_view what) {
  return Error{Errc::kUndecodable, "imager: its answer is not to be trusted: " + std::string(what)};
}

// The answer, unless it is an error.
Result<Json> good_answer(std::string_view text) {
  auto object = parse_object(text);
  if (!object) return bad_answer("no JSON");
  Members members(*object);
  if (!members.has("error")) return object;
  const std::string word = members.text("error", 32);
  std::string detail = members.text("detail", kDetailBytes);
  if (!members.wrong().empty()) return bad_answer(members.wrong());
  std::replace_if(
      detail.begin(), detail.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  if (word == "unsupported") return Error{Errc::kUnsupportedType, "imager: " + detail};
  return Error{Errc::kUndecodable, "imager: " + detail};
}

bool is_placeholder(std::string_view text) {
  if (text.empty()) return true;
  if (!text.starts_with(kDataUri)) return false;
  text.remove_prefix(kDataUri.size());
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  });
}

}  // namespace

std::string_view word_of(ImageFormat format) {
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& f) { return f.first == format; });
  if (found == kFormats.end()) BUG("a format that is not in the table");
  return found->second;
}

std::string image_question(const ImageQuestion& q) {
  const Json object(json_object());
  const bool renders = q.operation == ImageQuestion::Operation::kRender;
  set(object, "op", renders ? "render" : "probe");
  set(object, "mime_type", q.mime_type);
  set(object, "offset", q.offset);
  set(object, "size", q.size);
  if (renders) {
    set(object, "max_width", q.wanted.max_width);
    set(object, "max_height", q.wanted.max_height);
    set(object, "format", word_of(q.wanted.format));
  }
  return dump_json(object);
}

Result<ImageQuestion> parse_image_question(std::string_view text) {
  TRY_ASSIGN(const Json object, parse_object(text));
  Members in(object);
  ImageQuestion q;
  constexpr auto kMostOffset = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2);
  const std::string operation = in.text("op", 16);
  if (operation == "render") q.operation = ImageQuestion::Operation::kRender;
  if (operation != "render" && operation != "probe") in.note("op");
  q.mime_type = in.text("mime_type", kTypeBytes);
  if (!is_printable(q.mime_type)) in.note("mime_type");
  q.offset = in.number("offset", 0, kMostOffset);
  q.size = in.number("size", 0, kMostOffset);
  if (q.operation == ImageQuestion::Operation::kRender) {
    q.wanted.max_width = in.number32("max_width", 0, limits::kImageSide);
    q.wanted.max_height = in.number32("max_height", 0, limits::kImageSide);
    q.wanted.format = in.format("format");
  }
  if (!in.wrong().empty()) return Error{Errc::kInvalid, "imager: the question's '" + in.wrong() + "' is wrong"};
  return q;
}

std::string probe_answer(const ImageFacts& facts) {
  const Json object(json_object());
  set(object, "width", facts.width);
  set(object, "height", facts.height);
  set(object, "frames", facts.frames);
  set(object, "duration_ms", facts.duration_ms);
  json_object_set_new(object.get(), "has_alpha", json_boolean(facts.has_alpha));
  set(object, "placeholder", facts.placeholder);
  return dump_json(object);
}

std::string render_answer(const RenderedFacts& facts) {
  const Json object(json_object());
  set(object, "width", facts.width);
  set(object, "height", facts.height);
  set(object, "format", word_of(facts.format));
  return dump_json(object);
}

std::string error_answer(const Error& error) {
  const Json object(json_object());
  set(object, "error", error.code == Errc::kUnsupportedType ? "unsupported" : "undecodable");
  std::string detail = error.detail.substr(0, kDetailBytes);
  std::replace_if(
      detail.begin(), detail.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  set(object, "detail", detail);
  return dump_json(object);
}

Result<ImageFacts> parse_probe_answer(std::string_view text) {
  TRY_ASSIGN(const Json object, good_answer(text));
  Members in(object);
  ImageFacts facts;
  facts.width = in.number32("width", 0, limits::kImageSide);
  facts.height = in.number32("height", 0, limits::kImageSide);
  facts.frames = in.number32("frames", 1, limits::kImageFramesCounted);
  facts.duration_ms = in.number32("duration_ms", 0, std::numeric_limits<std::int32_t>::max());
  facts.has_alpha = in.truth("has_alpha");
  facts.placeholder = in.text("placeholder", limits::kPlaceholderBytes);
  if (!is_placeholder(facts.placeholder)) in.note("placeholder");
  if ((facts.width == 0) != (facts.height == 0)) in.note("height");
  if (!in.wrong().empty()) return bad_answer(in.wrong());
  return facts;
}

Result<RenderedFacts> parse_render_answer(std::string_view text, const Rendering& wanted) {
  TRY_ASSIGN(const Json object, good_answer(text));
  Members in(object);
  const auto most = [](std::uint32_t side) {
    return side == 0 ? limits::kRenderedSide : std::min(side, limits::kRenderedSide);
  };
  RenderedFacts facts;
  facts.width = in.number32("width", 1, most(wanted.max_width));
  facts.height = in.number32("height", 1, most(wanted.max_height));
  facts.format = in.format("format");
  if (facts.format != wanted.format) in.note("format");
  if (!in.wrong().empty()) return bad_answer(in.wrong());
  return facts;
}

}  // namespace cloakroom
