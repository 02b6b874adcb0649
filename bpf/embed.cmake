# SPDX-License-Identifier: Apache-2.0
#
# cmake -D INPUT=file -D OUTPUT=header -D NAME=kName -P embed.cmake: writes the bytes of a file as a C++ array.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUTPUT}" "// Generated from the BPF object by bpf/embed.cmake.
#pragma once

namespace dpuflow {
// ELF; libbpf reads its headers in place, hence the alignment.
alignas(8) inline constexpr unsigned char ${NAME}[] = {
${bytes}
};
}  // namespace dpuflow
")
