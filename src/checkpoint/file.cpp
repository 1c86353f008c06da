#include "file.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thalweg/core/error.hpp>

namespace thalweg::detail {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const char* where, const std::string& path, int code) {
  throw error(where, "Expected to ", where, " '", path, "'. Received '", std::generic_category().message(code), "'.");
}

// What a system call returned; it is called again where a signal came between.
template <class Call>
auto checked(const char* where, const std::string& path, Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  if (result < 0) refuse(where, path, errno);
  return result;
}

struct stat status_of(const char* where, const std::string& path, int file) {
  struct stat s {};
  checked(where, path, [&] { return fstat(file, &s); });
  if (!S_ISREG(s.st_mode)) throw error(where, "Expected a file. Received '", path, "', which is not a regular file.");
  return s;
}

// Where symbolic links lead, whether or not something is there. What is there may not be protected from writing.
std::string to_write(const std::string& given) {
  fs::path path = given;
  std::error_code none;
  for (int links = 0; fs::is_symlink(fs::symlink_status(path, none)); ++links) {
    if (links == 40) refuse("save", given, ELOOP);
    path = path.parent_path() / fs::read_symlink(path, none);
  }
  if (path.filename().empty() || fs::is_directory(path, none)) refuse("save", given, EISDIR);
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0 && errno != ENOENT) refuse("save", given, errno);
  return path;
}

std::string folder_of(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

int create(std::string& part) {
  std::random_device random;
  const std::string stem = std::exchange(part, {});
  for (;;) {
    part = in_words(stem, random());
    const int file = open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0) return file;
    if (errno != EEXIST && errno != EINTR) refuse("save", part, errno);
  }
}

}  // namespace

descriptor::~descriptor() { close(number_); }

file_to_read::file_to_read(const std::string& path)
    : path_(path), file_(checked("load", path, [&] { return open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); })),
      size_(static_cast<std::size_t>(status_of("load", path, file_.number()).st_size)) {}

void file_to_read::read(std::size_t from, std::span<std::byte> to) const {
  while (!to.empty()) {
    const auto n = checked("load", path_, [&] {
      return pread(file_.number(), to.data(), to.size(), static_cast<off_t>(from));
    });
    if (n == 0) throw error("load", "Expected to read ", size_, " bytes of '", path_, "'. Received ", from, ".");
    from += static_cast<std::size_t>(n);
    to = to.subspan(static_cast<std::size_t>(n));
  }
}

file_to_replace::file_to_replace(const std::string& path)
    : path_(to_write(path)), folder_(checked("save", path, [&] {
        return open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      })),
      part_(path_ + ".part-"), file_(create(part_)) {}

file_to_replace::~file_to_replace() {
  if (!part_.empty()) unlink(part_.c_str());
}

void file_to_replace::write(std::span<const std::byte> bytes) {
  constexpr std::size_t most = 1 << 16;  // for more at once Linux looks for large pages, which may take it seconds
  while (!bytes.empty()) {
    const auto n = checked("save", path_, [&] {
      return ::write(file_.number(), bytes.data(), std::min(bytes.size(), most));
    });
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void file_to_replace::commit() {
  struct stat old {};
  if (stat(path_.c_str(), &old) == 0) {
    if (!S_ISREG(old.st_mode)) throw error("save", "Expected a file. Received '", path_, "', which is not a regular file.");
    checked("save", path_, [&] { return fchmod(file_.number(), old.st_mode & 07777); });
  }
  checked("save", path_, [&] { return fsync(file_.number()); });
  checked("save", path_, [&] { return rename(part_.c_str(), path_.c_str()); });
  part_.clear();
  while (fsync(folder_.number()) != 0)  // some file systems keep no folder's order, and say EINVAL
    if (errno != EINTR && errno != EINVAL) refuse("save", path_, errno);
}

}  // namespace thalweg::detail
