// SPDX-License-Identifier: Apache-2.0
//
// A listening Unix stream socket together with its file.
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/daemon/fd.h"
#include "netlink/error.h"

namespace dpuflow::api {

class SocketFile {
 public:
  // Listens, nonblocking, in a directory that is made (0755) where it does not exist. A socket file that nobody answers is
  // replaced; EADDRINUSE where somebody does, EEXIST where the path is something else than a socket, ENAMETOOLONG for
  // more than 107 bytes.
  [[nodiscard]] static Result<SocketFile> Listen(const std::string& path, mode_t mode);

  SocketFile() = default;  // listens on nothing
  SocketFile(SocketFile&&) noexcept = default;
  SocketFile& operator=(SocketFile&&) = delete;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  // Removes the file, if it still is the one made here.
  ~SocketFile();

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace dpuflow::api
