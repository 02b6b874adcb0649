// SPDX-License-Identifier: Apache-2.0
#include "netlink/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace dpuflow {

tl::unexpected<Error> ErrnoError(std::string doing) { return MakeError(errno, std::move(doing)); }

tl::unexpected<Error> MakeError(int code, std::string doing, std::string extack) {
  return tl::make_unexpected(Error{code, std::move(doing), std::move(extack)});
}

std::string ErrnoName(int code) {
  const char* name = strerrorname_np(code);
  return name != nullptr ? name : std::to_string(code);
}

std::string ToString(const Error& error) {
  std::string text = fmt::format("cannot {}", error.doing);
  if (error.code != 0) {
    text += fmt::format(": {} ({})", strerrordesc_np(error.code) ? strerrordesc_np(error.code) : "error",
                        ErrnoName(error.code));
  }
  if (!error.extack.empty()) text += ": " + error.extack;
  return text;
}

}  // namespace dpuflow
