// Files are replaced whole or not at all, whatever comes between.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/model.hpp"
#include "files.hpp"

using namespace thalweg;
using test::bytes_of;
using test::model;
namespace fs = std::filesystem;

namespace {

struct subject {
  model<float> m;
  optimizer<float> opt;
  explicit subject(std::size_t size = 1000, long steps = 1)
      : m({{"w", {size}}}), opt(ema{}, m.parameters(), {.lr = 0.1, .parallel = sequential()}) {
    m.train(opt, 1, steps);
  }
};

std::string refusal(const subject& s, const std::string& path) {
  try {
    s.opt.save(path);
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

unsigned mode_of(const std::string& path) {
  struct stat s {};
  REQUIRE(stat(path.c_str(), &s) == 0);
  return s.st_mode & 07777;
}

}  // namespace

TEST_CASE("a new file has the permissions of any new file, an old one keeps its own") {
  const test::folder folder;
  const subject s;
  test::put_bytes(folder / "any", "");
  s.opt.save(folder / "file");
  CHECK(mode_of(folder / "file") == mode_of(folder / "any"));
  for (const unsigned mode : {0640u, 0606u, 0666u}) {
    REQUIRE(chmod((folder / "file").c_str(), mode) == 0);
    s.opt.save(folder / "file");
    CHECK(mode_of(folder / "file") == mode);
  }
  CHECK(folder.count() == 2);
}

TEST_CASE("the file is new: who holds the old one open keeps the old one") {
  const test::folder folder;
  subject s;
  s.opt.save(folder / "file");
  const auto old = bytes_of(folder / "file");
  std::ifstream held(folder / "file", std::ios::binary);
  fs::create_hard_link(folder / "file", folder / "kept");
  s.m.train(s.opt, 2, 3);
  s.opt.save(folder / "file");
  CHECK(bytes_of(folder / "file") != old);
  CHECK(bytes_of(folder / "kept") == old);
  CHECK(std::string(std::istreambuf_iterator<char>(held), {}) == old);
}

TEST_CASE("symbolic links stay, and lead to the new file") {
  const test::folder folder;
  const subject s;
  fs::create_directory(folder / "else");
  fs::create_symlink("else/file", folder / "link");
  fs::create_symlink(folder / "link", folder / "link to link");
  for (const char* name : {"link", "link to link"}) {  // at first to nothing
    s.opt.save(folder / name);
    CHECK(fs::is_symlink(folder / name));
    CHECK(fs::is_regular_file(fs::symlink_status(folder / "else/file")));
  }
  CHECK(bytes_of(folder / "link").size() > 4000);
  CHECK(folder.count() == 3);
  fs::create_symlink("b", folder / "a");
  fs::create_symlink("a", folder / "b");
  CHECK(refusal(s, folder / "a").find("Too many levels of symbolic links") != std::string::npos);
  fs::create_symlink("nowhere/file", folder / "dangling");
  CHECK(refusal(s, folder / "dangling").find("No such file or directory") != std::string::npos);
}

TEST_CASE("a path without a folder is one of this folder") {
  const test::folder folder;
  const subject s;
  const auto before = fs::current_path();
  fs::current_path(folder.path());
  const auto said = refusal(s, "file");
  fs::current_path(before);
  CHECK(said == "");
  CHECK(fs::exists(folder / "file"));
  CHECK(folder.count() == 1);
}

TEST_CASE("save refuses what is no place for a file") {
  const test::folder folder;
  const subject s;
  const auto says = [&](const std::string& path, const std::string& why) {
    const auto said = refusal(s, path);
    CAPTURE(said);
    CHECK(said.starts_with("[save] Expected "));
    CHECK(said.find(why) != std::string::npos);
  };
  says(folder / "missing/file", "'No such file or directory'");
  says(folder.path(), "'Is a directory'");
  says(folder.path() + "/", "'Is a directory'");
  says("", "'Is a directory'");
  test::put_bytes(folder / "file", "old");
  says(folder / "file/file", "'Not a directory'");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  says(folder / "pipe", "which is not a regular file");
  says(folder / std::string(300, 'n'), "'File name too long'");
  CHECK(folder.count() == 2);
  CHECK(bytes_of(folder / "file") == "old");
}

TEST_CASE("save refuses without permission") {
  const test::folder folder;
  const subject s;
  test::put_bytes(folder / "file", "old");
  fs::create_directory(folder / "open");
  test::put_bytes(folder / "open/protected", "old");
  REQUIRE(chmod((folder / "open").c_str(), 0777) == 0);
  REQUIRE(chmod((folder / "open/protected").c_str(), 0444) == 0);
  const uid_t before = geteuid();
  if (before == 0 && seteuid(65534) != 0) return;  // nobody: to root all is permitted
  if (before != 0) REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
  const auto closed = refusal(s, folder / "new"), protectedly = refusal(s, folder / "open/protected");
  if (before == 0) REQUIRE(seteuid(0) == 0);
  else REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
  CHECK(closed.find("'Permission denied'") != std::string::npos);
  CHECK(protectedly.find("'Permission denied'") != std::string::npos);
  CHECK(bytes_of(folder / "open/protected") == "old");
  CHECK(folder.count() == 2);
}

TEST_CASE("where the room runs out the part is removed and the old file stays") {
  const test::folder folder;
  subject s;
  s.opt.save(folder / "file");
  const auto old = bytes_of(folder / "file");
  s.m.train(s.opt, 2, 2);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t room : {0, 8, 100, 2000, 4000}) {
    const rlimit tight{room, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
    const auto said = refusal(s, folder / "file");
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(said == in_words("[save] Expected to save '", folder / "file", "'. Received 'File too large'."));
    CHECK(bytes_of(folder / "file") == old);
    CHECK(folder.count() == 1);
  }
  std::signal(SIGXFSZ, handler);
}

TEST_CASE("killed at any moment, it leaves the old file or the new one") {
  const test::folder folder;
  subject one(300'000, 1), other(300'001, 2);
  one.opt.save(folder / "one");
  other.opt.save(folder / "other");
  const auto a = bytes_of(folder / "one"), b = bytes_of(folder / "other");
  std::size_t seen_a = 0, seen_b = 0;
  for (std::uint64_t round = 0; round < 40; ++round) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        for (;;) {
          one.opt.save(folder / "file");
          other.opt.save(folder / "file");
        }
      } catch (...) {
        _exit(1);
      }
    }
    while (!fs::exists(folder / "file")) usleep(100);
    usleep(static_cast<useconds_t>(6000 * (1 + test::noise(1, round))));
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    const auto left = bytes_of(folder / "file");
    seen_a += left == a;
    seen_b += left == b;
    CHECK((left == a || left == b));
    for (const auto& entry : fs::directory_iterator(folder.path()))
      if (entry.path().filename().string().starts_with("file.part-")) fs::remove(entry.path());
    CHECK(folder.count() == 3);
  }
  CHECK(seen_a + seen_b == 40);
}

TEST_CASE("two that save to one place do not mix") {
  const test::folder folder;
  subject one(100'000, 1), other(100'001, 2);
  one.opt.save(folder / "one");
  other.opt.save(folder / "other");
  const auto a = bytes_of(folder / "one"), b = bytes_of(folder / "other");
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      for (int i = 0; i < 50; ++i) one.opt.save(folder / "file");
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  for (int i = 0; i < 50; ++i) {
    other.opt.save(folder / "file");
    const auto left = bytes_of(folder / "file");
    CHECK((left == a || left == b));
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(folder.count() == 3);
}
