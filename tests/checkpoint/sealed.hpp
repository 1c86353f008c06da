// Files that a test has edited, with the checksums that go with what they hold now.
#pragma once

#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "files.hpp"

namespace test {

inline std::string xxh3(const std::string& bytes) {
  XXH64_canonical_t digest;
  XXH64_canonicalFromHash(&digest, XXH3_64bits(bytes.data(), bytes.size()));
  std::string digits;
  for (const unsigned char byte : digest.digest)
    for (const int half : {byte >> 4, byte & 15}) digits += "0123456789abcdef"[half];
  return digits;
}

/// Each checksum that is there, computed anew. Those of parameters stay.
inline parts sealed(parts p) {
  for (const auto& [name, tensor] : p.header.items()) {
    const auto key = "checksum of " + name;
    if (!p.header.contains("__metadata__") || !p.header["__metadata__"].contains(key)) continue;
    const std::size_t begin = tensor["data_offsets"][0], end = tensor["data_offsets"][1];
    if (begin <= end && end <= p.arrays.size()) p.metadata(key) = xxh3(p.arrays.substr(begin, end - begin));
  }
  if (!p.header.contains("__metadata__") || !p.header["__metadata__"].contains("checksum")) return p;
  std::string all;
  for (const auto& [key, text] : p.header["__metadata__"].items())
    if (key != "checksum") (((all += key) += '\0') += text.get<std::string>()) += '\0';
  p.metadata("checksum") = xxh3(all);
  return p;
}

inline std::string put_together(const parts& p) {
  const parts s = sealed(p);
  return with_header(s.header.dump(), s.arrays);
}

}  // namespace test
