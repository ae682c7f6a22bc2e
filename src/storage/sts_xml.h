// sts_xml.h — what AssumeRoleWithWebIdentity answers.
//
// Source   AWS Security Token Service API reference; Ceph and MinIO answer alike.
// Security no DTD, no entities but XML's five; the caller caps the size. Errors quote nothing of the document.
// Errors   kStore   not XML, or an element is missing
#pragma once

#include <string>
#include <string_view>

#include "storage/sigv4.h"

namespace cloakroom {

Result<Credentials> parse_assumed_role(std::string_view xml);
// The code of an error answer, printable; empty when there is none.
std::string sts_error_code(std::string_view xml);

}  // namespace cloakroom
