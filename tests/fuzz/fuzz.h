// SPDX-License-Identifier: Apache-2.0
//
// What the fuzzers have in common. Each is one file with one function, LLVMFuzzerTestOneInput: it is given bytes that
// nobody vouches for, hands them to one part of the product, and requires of what comes out what that part's header
// promises. libFuzzer calls it (the `fuzz` preset), or replay.cc with the files of the corpus (every other preset).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace dpuflow::fuzz {

// Something that holds for every input. Where it does not, the process ends with what was broken, which libFuzzer and
// ctest take for the crash that it is.
inline void Require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", property);
  std::abort();
}

inline std::string_view Text(const std::uint8_t* data, std::size_t size) {
  return {static_cast<const char*>(static_cast<const void*>(data)), size};
}

}  // namespace dpuflow::fuzz
