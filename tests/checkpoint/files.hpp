// Files for the tests of checkpoints: a folder of their own, their bytes, their headers opened and closed again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace test {

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class folder {
  std::filesystem::path path_;

public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "thalweg-XXXXXX").string();
    path_ = mkdtemp(name.data());
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }
  folder(folder&&) = delete;
  ~folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }
};

/// A safetensors file, taken apart.
struct parts {
  nlohmann::json header;
  std::string arrays;

  [[nodiscard]] nlohmann::json& metadata(const std::string& key) { return header["__metadata__"][key]; }
};

inline std::uint64_t header_length(const std::string& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  return length;
}

inline parts taken_apart(const std::string& bytes) {
  const auto length = header_length(bytes);
  return {nlohmann::json::parse(bytes.substr(8, length)), bytes.substr(8 + length)};
}

/// A file with this text as its header.
inline std::string with_header(const std::string& text, const std::string& arrays) {
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + arrays;
}

}  // namespace test
