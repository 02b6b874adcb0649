// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace dpuflow {
namespace {

using std::chrono::milliseconds;

constexpr timespec kPause{0, 20'000'000};  // between two tries, while somebody cleans up

struct Content {
  int pid = 0;
  milliseconds orphan_timeout{0};
};

// A line that is missing, or is none of ours, is 0.
Content Read(int fd) {
  std::array<char, 64> buffer{};
  const ssize_t length = pread(fd, buffer.data(), buffer.size(), 0);
  if (length <= 0) return {};
  Content content;
  const char* end = buffer.data() + length;
  const auto [stop, error] = std::from_chars(buffer.data(), end, content.pid);
  std::int64_t timeout = 0;
  if (error == std::errc() && stop != end) std::from_chars(stop + 1, end, timeout);
  content.orphan_timeout = milliseconds(timeout);
  return content;
}

bool IsAlive(int pid) { return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM); }

// Who holds the lock, as far as the file and /proc tell: "process 123 (dpuflowd)".
std::string Holder(int pid) {
  if (pid <= 0) return "another process";
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  return name.empty() ? fmt::format("process {}", pid) : fmt::format("process {} ({})", pid, name);
}

Result<void> Write(int fd, const std::string& path, milliseconds orphan_timeout) {
  const std::string text = fmt::format("{}\n{}\n", getpid(), orphan_timeout.count());
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return ErrnoError("write the process id to " + path);
  }
  return {};
}

// `mode`: O_RDWR or O_RDONLY.
Result<int> Open(const std::string& path, int mode) {
  const std::string directory = std::filesystem::path(path).parent_path();
  if (!directory.empty() && mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoError("make the directory " + directory + " of the lock file");
  }
  const int fd = open(path.c_str(), mode | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return ErrnoError("open the lock file " + path);
  return fd;
}

}  // namespace

Result<InstanceLock> InstanceLock::Take(const std::string& path, milliseconds orphan_timeout) {
  const auto fd = Open(path, O_RDWR);
  if (!fd) return tl::make_unexpected(fd.error());
  InstanceLock lock(*fd);
  while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError("lock " + path);
    const int pid = Read(*fd).pid;
    if (IsAlive(pid)) return MakeError(EBUSY, "lock " + path, Holder(pid) + " holds it; one dpuflowd runs at a time");
    nanosleep(&kPause, nullptr);  // a daemon that runs is in the file: this is who cleans up, or a daemon that starts
  }
  if (auto written = Write(*fd, path, orphan_timeout); !written) {
    return tl::make_unexpected(std::move(written.error()));
  }
  return lock;
}

Result<InstanceLock> InstanceLock::TakeAfter(const std::string& path) {
  const auto fd = Open(path, O_RDONLY);
  if (!fd) return tl::make_unexpected(fd.error());
  InstanceLock lock(*fd);
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return ErrnoError("lock " + path);
  return MakeError(EBUSY, "lock " + path, Holder(Read(*fd).pid) + " holds it");
}

void InstanceLock::Touch() const { futimens(fd_, nullptr); }

Result<InstanceLock::Last> InstanceLock::ReadLast() const {
  struct stat status {};
  if (fstat(fd_, &status) != 0) return ErrnoError("look at the lock file");
  const auto alive = std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Last{std::chrono::duration_cast<milliseconds>(now - alive), Read(fd_).orphan_timeout};
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) close(fd_);
}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace dpuflow
