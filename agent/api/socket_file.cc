// SPDX-License-Identifier: Apache-2.0
#include "agent/api/socket_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace dpuflow::api {
namespace {

constexpr int kBacklog = 64;  // connects that wait to be accepted

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return MakeError(ENAMETOOLONG, "listen on " + path,
                     fmt::format("a socket path has 1 to {} bytes", sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Result<void> MakeParent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return {};
  const std::string parent = path.substr(0, slash);
  if (mkdir(parent.c_str(), 0755) == 0) {
    // Whatever the umask is: others may reach the socket, its own mode decides.
    if (chmod(parent.c_str(), 0755) == 0) return {};
  } else if (errno == EEXIST) {
    return {};
  }
  return ErrnoError("make directory " + parent);
}

// Leaves the path free to bind, if that can be done without taking it from anybody.
Result<void> ClearStale(const std::string& path, const sockaddr_un& address) {
  const std::string doing = "listen on " + path;
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return ErrnoError(doing);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return MakeError(EEXIST, doing, "expected a socket or nothing there, found something else");
  }
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (probe.get() < 0) return ErrnoError(doing);
  if (connect(probe.get(), Generic(address), sizeof address) == 0 || errno == EAGAIN) {
    return MakeError(EADDRINUSE, doing, "another process serves this socket");
  }
  if (errno != ECONNREFUSED) return ErrnoError(doing);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return ErrnoError("remove stale socket " + path);
  return {};
}

}  // namespace

Result<SocketFile> SocketFile::Listen(const std::string& path, mode_t mode) {
  const Result<sockaddr_un> address = AddressOf(path);
  if (!address) return tl::make_unexpected(address.error());
  if (auto made = MakeParent(path); !made) return tl::make_unexpected(std::move(made.error()));
  if (auto cleared = ClearStale(path, *address); !cleared) return tl::make_unexpected(std::move(cleared.error()));

  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return ErrnoError("make a socket");
  if (bind(fd.get(), Generic(*address), sizeof *address) != 0) return ErrnoError("listen on " + path);
  // Between bind and listen nobody can connect, so the mode is right before anybody can.
  struct stat made {};
  if (chmod(path.c_str(), mode) != 0 || lstat(path.c_str(), &made) != 0 || listen(fd.get(), kBacklog) != 0) {
    auto error = ErrnoError("listen on " + path);
    unlink(path.c_str());
    return error;
  }
  SocketFile file;
  file.fd_ = std::move(fd);
  file.path_ = path;
  file.device_ = made.st_dev;
  file.inode_ = made.st_ino;
  return file;
}

SocketFile::~SocketFile() {
  if (fd_.get() < 0) return;
  struct stat found {};
  if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace dpuflow::api
