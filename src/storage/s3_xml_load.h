// s3_xml_load.h — pugixml as every document of a store is read and written: no DTD, no entities but XML's five.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

inline constexpr const char* kS3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

enum class XmlBlanks { kTrimmed, kKept };  // around a text: names of objects may begin and end in blanks

// kInvalid when it is cut or no XML. The caller has capped the size.
Status load_xml(pugi::xml_document& document, std::string_view xml, XmlBlanks blanks = XmlBlanks::kTrimmed);
// On one line, without a declaration.
std::string write_xml(const pugi::xml_document& document);

// A name in a listing. `is_encoded`: the listing says encoding-type url, which is form encoding: '+' is a space.
Result<std::string> listed_name(std::string_view text, bool is_encoded);

}  // namespace cloakroom
