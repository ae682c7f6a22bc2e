// copy_reader.h — which bytes a reader gets of a file that has a copy: the local ones, if nobody was at them.
//
// Cost     one system call for a file that is as it was stored; a statement for one that is not.
// Seen     a file that is gone, and one whose size or time is another. Not seen: bytes that changed by themselves while
//          size and time did not (a failing disk); that is what `cloakroom scrub` is for.
// Log      file.not_as_stored: id
#pragma once

#include "domain/copies.h"

namespace cloakroom {

class CopyReader {
 public:
  CopyReader(LocalFiles& local, CopyRows& copies) : local_(local), copies_(copies) {}

  // The row, or the same as if its object were the copy, and then somebody looks after the local file. Without a copy,
  // or when nobody can say where it is, the row.
  Attachment as_served(Attachment row);

 private:
  LocalFiles& local_;
  CopyRows& copies_;
};

}  // namespace cloakroom
