// s3_xml_load.h — pugixml as every document of a store is read: no DTD, no entities but XML's five.
#pragma once

#include <pugixml.hpp>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

enum class XmlBlanks { kTrimmed, kKept };  // around a text: names of objects may begin and end in blanks

// kInvalid when it is cut or no XML. The caller has capped the size.
Status load_xml(pugi::xml_document& document, std::string_view xml, XmlBlanks blanks = XmlBlanks::kTrimmed);

}  // namespace cloakroom
