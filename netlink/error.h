// SPDX-License-Identifier: Apache-2.0
//
// Errors are values. A function of this project that can fail returns Result<T>; it does not log,
// it does not throw. The caller either handles the error or passes it on; the daemon's edge logs
// it, once.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>

namespace dpuflow {

// What went wrong, in the kernel's own words where it had any.
struct Error {
  int code = 0;          // errno, positive (EOPNOTSUPP, ENOSPC, ...)
  std::string doing{};   // what was being done, as the end of "cannot ...": "add filter on pf0vf3
                         // chain 2 prio 1"
  std::string extack{};  // NLMSGERR_ATTR_MSG or the like: the kernel's or driver's sentence; may be empty

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = tl::expected<T, Error>;

// Error from the calling thread's errno or a given errno.
[[nodiscard]] tl::unexpected<Error> ErrnoError(std::string doing);
[[nodiscard]] tl::unexpected<Error> MakeError(int code, std::string doing, std::string extack = {});

// The symbol of an errno ("ENOSPC"), or its number where there is none.
std::string ErrnoName(int code);

// "cannot add filter ...: No space left on device (ENOSPC): mlx5_core: table full"
std::string ToString(const Error& error);

}  // namespace dpuflow

template <>
struct fmt::formatter<dpuflow::Error> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const dpuflow::Error& error, Context& context) const {
    return fmt::formatter<std::string>::format(dpuflow::ToString(error), context);
  }
};
