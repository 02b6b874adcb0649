// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace dpuflow {
namespace {

// Who holds the lock, as far as the file and /proc tell: "process 123 (dpuflowd)".
std::string Holder(int fd) {
  std::array<char, 32> text{};
  const ssize_t length = pread(fd, text.data(), text.size(), 0);
  int pid = 0;
  if (length > 0) std::from_chars(text.data(), text.data() + length, pid);
  if (pid <= 0) return "another process";
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name);
  return name.empty() ? fmt::format("process {}", pid) : fmt::format("process {} ({})", pid, name);
}

Result<void> WritePid(int fd, const std::string& path) {
  const std::string text = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return ErrnoError("write the process id to " + path);
  }
  return {};
}

}  // namespace

Result<InstanceLock> InstanceLock::Take(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path();
  if (!directory.empty() && mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoError("make the directory " + directory + " of the lock file");
  }
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return ErrnoError("open the lock file " + path);
  InstanceLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return ErrnoError("lock " + path);
    return MakeError(EBUSY, "lock " + path, Holder(fd) + " holds it; one dpuflowd runs at a time");
  }
  if (auto written = WritePid(fd, path); !written) {
    return tl::make_unexpected(std::move(written.error()));
  }
  return lock;
}

InstanceLock::~InstanceLock() {
  if (fd_ >= 0) close(fd_);
}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace dpuflow
