// heif_items.cc — two tables, read from a copy in memory.
#include "media/heif_items.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/limits.h"
#include "media/big_endian.h"

namespace cloakroom {
namespace {

// Reads on in a box; what is beyond its end reads as zeros and is remembered.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t size) {
    const std::uint64_t out = big_endian(bytes_, at_, size);
    skip(size);
    return out;
  }
  std::string_view word(std::size_t size) {
    const std::string_view out = at_ < bytes_.size() ? bytes_.substr(at_, size) : "";
    skip(size);
    return out;
  }
  // Up to a zero, or to the end.
  std::string_view text() {
    const std::string_view rest = at_ < bytes_.size() ? bytes_.substr(at_) : "";
    const std::string_view out = rest.substr(0, rest.find('\0'));
    at_ += std::min(out.size() + 1, rest.size());
    return out;
  }
  bool is_good() const { return !is_over_; }

 private:
  void skip(std::size_t size) {
    is_over_ = is_over_ || size > bytes_.size() - at_;
    at_ = is_over_ ? bytes_.size() : at_ + size;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  bool is_over_ = false;
};

class ItemTables {
 public:
  ItemTables(std::string_view meta, std::uint64_t meta_at) : meta_(meta), meta_at_(meta_at) {}

  HeifItems read();

 private:
  struct Child {
    std::string_view bytes;
    std::uint64_t at = 0;  // in the file
  };
  Result<std::optional<Child>> child(std::string_view type);
  bool read_kinds(std::string_view iinf);
  void read_kind(std::string_view infe);
  bool read_places(std::string_view iloc, const std::optional<Child>& idat);

  std::string_view meta_;
  std::uint64_t meta_at_;
  HeifItems out_ = {};
};

Result<std::optional<ItemTables::Child>> ItemTables::child(std::string_view type) {
  Pieces in(meta_);
  for (std::uint64_t at = 0;;) {
    TRY_ASSIGN(const std::optional<Box> box, box_at(in, at, meta_.size()));
    if (!box) return std::optional<Child>();
    if (box->type == type) {
      return std::optional(Child{meta_.substr(box->content, box->size()), meta_at_ + box->content});
    }
    at = box->end;
  }
}

void ItemTables::read_kind(std::string_view infe) {
  Reader in(infe);
  const std::uint64_t version = in.number(1);
  in.number(3);  // flags
  HeifItem item{.id = static_cast<std::uint32_t>(in.number(version == 3 ? 4 : 2))};
  in.number(2);  // protection
  item.type = version >= 2 ? std::string(in.word(4)) : "mime";
  in.text();  // its name
  if (item.type == "mime") {
    item.content_type = in.text();
    item.is_encoded = !in.text().empty();
  }
  if (item.type == "Exif" || item.type == "mime" || item.type == "uri ") out_.items.push_back(std::move(item));
}

bool ItemTables::read_kinds(std::string_view iinf) {
  Reader head(iinf);
  const std::uint64_t version = head.number(1);
  head.number(3);
  head.number(version == 0 ? 2 : 4);  // how many; the boxes tell it, too
  if (!head.is_good()) return false;
  Pieces in(iinf);
  for (std::uint64_t at = version == 0 ? 6 : 8; at < iinf.size();) {
    const auto box = box_at(in, at, iinf.size());
    if (!box || !*box || (*box)->is_cut || out_.items.size() >= limits::kHeifItems) return false;
    if ((*box)->type == "infe") read_kind(iinf.substr((*box)->content, (*box)->size()));
    at = (*box)->end;
  }
  return true;
}

bool ItemTables::read_places(std::string_view iloc, const std::optional<Child>& idat) {
  Reader in(iloc);
  const std::uint64_t version = in.number(1);
  in.number(3);
  const std::uint64_t sizes = in.number(2);
  const std::size_t offset_size = sizes >> 12, length_size = sizes >> 8 & 15, base_size = sizes >> 4 & 15;
  const std::size_t index_size = version == 0 ? 0 : sizes & 15;
  if (version > 2 || std::max({offset_size, length_size, base_size, index_size}) > 8) return false;
  const std::uint64_t count = in.number(version == 2 ? 4 : 2);
  std::unordered_map<std::uint32_t, HeifItem*> items;
  for (HeifItem& item : out_.items) items.emplace(item.id, &item);
  std::size_t extents = 0;
  bool is_unusual = false;  // what can be found is gone through all the same
  for (std::uint64_t n = 0; n < count; ++n) {
    if (!in.is_good()) return false;  // the count is the file's own word, and behind the end all is zero
    const auto id = static_cast<std::uint32_t>(in.number(version == 2 ? 4 : 2));
    const std::uint64_t method = version == 0 ? 0 : in.number(2) & 15;
    in.number(2);  // of which file
    const std::uint64_t base = in.number(base_size);
    const std::uint64_t pieces = in.number(2);
    auto item = items.find(id);
    if (item != items.end() && (method > 1 || (method == 1 && !idat))) {  // made of other items
      is_unusual = true;
      item = items.end();
    }
    for (std::uint64_t k = 0; k < pieces; ++k) {
      in.number(index_size);
      const std::uint64_t offset = in.number(offset_size), size = in.number(length_size);
      if (!in.is_good()) return false;
      if (item == items.end()) continue;
      const std::uint64_t at = base + offset + (method == 1 ? idat->at : 0);
      if (++extents > limits::kHeifItems) return false;
      const bool is_usual = at >= base && size > 0;  // 0: "all of the file"
      if (is_usual) item->second->extents.push_back({at, size});
      is_unusual = is_unusual || !is_usual;
    }
  }
  return in.is_good() && !is_unusual;
}

HeifItems ItemTables::read() {
  const auto kinds = child("iinf"), places = child("iloc"), idat = child("idat");
  if (!kinds || !places || !idat || !*kinds) return out_;  // of a file without items
  if (!read_kinds((*kinds)->bytes)) out_.unread = "its list of items is broken";
  if (out_.items.empty()) return out_;
  if (!*places || !read_places((*places)->bytes, *idat)) out_.unread = "where its items lie is broken or unusual";
  return out_;
}

}  // namespace

Result<HeifItems> read_heif_items(Pieces& in, const Box& meta) {
  constexpr std::uint64_t kVersion = 4;  // and flags
  if (meta.size() < kVersion) return HeifItems{{}, "its table of contents is cut"};
  if (meta.size() > limits::kStripBlockBytes) return HeifItems{{}, "its table of contents is too long"};
  TRY_ASSIGN(const std::string bytes,
             in.copy(meta.content + kVersion, static_cast<std::size_t>(meta.size() - kVersion)));
  HeifItems items = ItemTables(bytes, meta.content + kVersion).read();
  if (meta.is_cut && items.unread.empty()) items.unread = "its table of contents is cut";
  return items;
}

}  // namespace cloakroom
