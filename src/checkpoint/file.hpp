// Files as checkpoints need them: one to read, and one that takes another's place whole or not at all.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace thalweg::detail {

/// An open file, closed at last.
class descriptor {
  int number_;

public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(descriptor&&) = delete;
  ~descriptor();
  [[nodiscard]] int number() const { return number_; }
};

/// Throws `error("load", …)`.
class file_to_read {
  std::string path_;
  descriptor file_;
  std::size_t size_;

public:
  explicit file_to_read(const std::string& path);
  [[nodiscard]] std::size_t size() const { return size_; }
  void read(std::size_t from, std::span<std::byte> to) const;
};

/// Written beside the file that it replaces in `commit`; without that, removed. Throws `error("save", …)`.
class file_to_replace {
  std::string path_;  ///< behind symbolic links
  descriptor folder_;
  std::string part_;
  descriptor file_;

public:
  explicit file_to_replace(const std::string& path);
  ~file_to_replace();
  void write(std::span<const std::byte> bytes);
  void commit();
};

}  // namespace thalweg::detail
