// limits.h — every fixed maximum of the program: name, number, unit, reason. What a user may tune is in config.cc
// instead.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cloakroom::limits {

// Memory
inline constexpr std::size_t kCopyBufferBytes = 256 * 1024;  // one per process: hash, copy and stream in blocks of this
inline constexpr std::size_t kSniffBytes = 4096;             // head of a file shown to libmagic
inline constexpr std::size_t kJsonBodyBytes = 1024 * 1024;   // a request body held in memory; nginx has the same
inline constexpr std::size_t kLogLineBytes = 2048;           // one record; longer values are cut

// Requests
inline constexpr std::size_t kPathBytes = 4096;  // raw request path
inline constexpr std::size_t kQueryBytes =
    32 * 1024;                                        // 500 message ids fit; nginx's own line limit is lower by default
inline constexpr std::size_t kTokenBytes = 8192;      // Authorization header or cookie value
inline constexpr std::size_t kForeignIdBytes = 255;   // ids of users, dialogs, messages
inline constexpr std::size_t kBatchIds = 500;         // message_ids in one read, attachment_ids in one link
inline constexpr std::size_t kDialogMembers = 10000;  // of one dialog
inline constexpr std::size_t kSignedParts = 100;      // of a direct upload, signed in one request
inline constexpr std::size_t kListRows = 200;         // own unlinked uploads in one answer
inline constexpr std::size_t kRanges = 16;            // in one Range header; nginx has the same (max_ranges)
inline constexpr std::size_t kWaitingRequests = 128;  // of one child, for what others make; two descriptors each

// Multipart
inline constexpr std::size_t kBoundaryBytes = 70;      // RFC 2046 section 5.1.1
inline constexpr std::size_t kPartHeaderBytes = 8192;  // all header lines of one part
inline constexpr std::size_t kParts = 100;             // files and fields in one request
inline constexpr std::size_t kFieldBytes = 4096;       // value of a part that is not a file

// Names and keys
inline constexpr std::size_t kFilenameBytes = 255;      // NAME_MAX; cut on a character boundary, extension kept
inline constexpr std::size_t kRawNameBytes = 2048;      // of a name as sent; longer ones lose their middle
inline constexpr std::size_t kKeyBytes = 1024;          // S3 allows no more
inline constexpr std::size_t kKeySegmentBytes = 255;    // NAME_MAX
inline constexpr std::size_t kExternalUrlBytes = 2048;  // of a file that lives elsewhere; browsers and proxies take it

// Backfill
inline constexpr std::size_t kLegacyRowBytes = 256 * 1024;  // of one row of an old application's table; a page is held
inline constexpr std::size_t kMappingBytes = 64 * 1024;     // of the file that describes the table

// S3
inline constexpr std::size_t kS3ErrorBodyBytes = 64 * 1024;      // an XML error is a few hundred bytes
inline constexpr std::size_t kS3HeaderBytes = 64 * 1024;         // response header block
inline constexpr std::uint64_t kS3SinglePutBytes = 5ULL << 30;   // one PutObject
inline constexpr std::uint64_t kS3SingleCopyBytes = 5ULL << 30;  // one CopyObject
inline constexpr std::uint64_t kS3CopyPartBytes = 512ULL << 20;  // of a larger copy: seconds of silence, not minutes
inline constexpr std::uint64_t kS3MultipartBytes = 64ULL << 20;  // smaller files go in one PutObject
inline constexpr std::uint64_t kS3PartBytes = 16ULL << 20;       // of one part, unless that makes too many
inline constexpr unsigned kS3PartsInFlight = 4;                  // of one upload; each has a send buffer of 256 KiB
inline constexpr std::size_t kS3UploadListBytes = 1024 * 1024;   // one page of unfinished uploads, 200 with long keys
inline constexpr std::size_t kS3KeyEntryBytes = 6 * 1024;        // one key in a listing or result, escaped
inline constexpr std::size_t kS3RulesBytes = 1024 * 1024;        // CORS or lifecycle of a bucket; AWS allows 1000 rules
inline constexpr std::size_t kS3DeleteKeys = 1000;               // one DeleteObjects
inline constexpr std::size_t kCredentialFileBytes = 64 * 1024;   // shared credentials, a web identity's token

// Pictures
inline constexpr std::uint64_t kFetchedPictureBytes = 256ULL
                                                      << 20;  // of an original that is fetched from a store for it
inline constexpr std::size_t kVariantSizes = 16;              // in VARIANTS: each picture is made so often
inline constexpr std::uint32_t kVariantSide = 8192;           // pixels of a side: a variant is for screens

// Clean-up
inline constexpr std::size_t kNamedLeftOvers = 100;  // of each kind, that one run names; it counts all

// Virus scanner
inline constexpr std::size_t kScannerReplyBytes = 1024;     // one answer of clamd; a longer one is none of its own
inline constexpr std::size_t kScannerSignatureBytes = 128;  // name of a signature, in the log

// Pictures
inline constexpr std::size_t kPlaceholderBytes = 400;            // of the data URI; it stands in each JSON
inline constexpr std::size_t kImageMessageBytes = 4096;          // a request to the picture maker, or its answer
inline constexpr std::uint64_t kImageInputBytes = 256ULL << 20;  // of a file that is mapped to be decoded
inline constexpr std::uint64_t kImageOutputBytes = 64ULL << 20;  // of a picture that was made
inline constexpr std::uint32_t kImageSide = 65535;               // of an original; JPEG has no longer one
inline constexpr std::uint32_t kRenderedSide = 16383;            // of a picture that is made; WebP has no longer one
inline constexpr std::uint32_t kImageFrames = 100;               // kept of a moving picture; more take seconds
inline constexpr std::chrono::seconds kLookAtPictures{2};        // of one upload: the rest is looked at by the job
inline constexpr unsigned kJpegScans = 100;     // each goes over the whole picture; encoders write a dozen
inline constexpr unsigned kProbeSeconds = 3;    // of processor, for a look at a picture: 50 megapixels take one
inline constexpr unsigned kDrawingSeconds = 1;  // of processor, for SVG and PDF: no head tells what they cost
inline constexpr std::uint32_t kImageFramesCounted = 1U << 20;  // or pages, of an original
// Films and sounds
inline constexpr std::uint64_t kFilmHeadBytes = 48ULL << 20;  // of a film that ffmpeg sees: a first second of 4K has 10
inline constexpr std::uint64_t kFilmBytes = 1ULL << 40;       // of a copy, most of which is a hole
inline constexpr std::uint64_t kFilmTailBytes = 16ULL << 20;  // the same at its end, where its index may be
inline constexpr unsigned kFilmSeconds = 2;                   // of processor, for all programs that see a film
inline constexpr unsigned kDrawnSoundSeconds = 120;  // of a sound, from its beginning; all of kFilmSeconds are for more
inline constexpr std::size_t kFilmFactsBytes = 64 * 1024;  // what ffprobe says of a film
inline constexpr std::uint32_t kFilmStreams = 64;          // that are looked at
// Metadata of pictures
inline constexpr std::size_t kStripWindowBytes = 64 * 1024;   // of a picture, read at once
inline constexpr std::size_t kStripBlockBytes = 1024 * 1024;  // one Exif or XMP block held in memory; JPEG has 64 KiB
inline constexpr std::size_t kStripPatchBytes = 4 * 1024 * 1024;  // all that is written over one picture, but for fills
inline constexpr std::size_t kStripPatches = 20000;               // of one picture; a usual one has two
inline constexpr std::size_t kStripPictures = 64;                 // one behind the other in a file
inline constexpr std::size_t kStripDepth = 3;                     // a thumbnail within a thumbnail
inline constexpr std::size_t kHeifItems = 10000;         // of a HEIF file, that are no pictures, and their pieces
inline constexpr std::size_t kManifestSegments = 10000;  // of a JPEG's provenance, 64 KiB each
inline constexpr std::size_t kExifFolders = 64;          // IFDs of one Exif block; a camera writes five

}  // namespace cloakroom::limits
