// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace labtraffic {

// The Internet checksum (RFC 1071) of these bytes, in host order.
std::uint16_t Checksum(std::string_view bytes);

}  // namespace labtraffic
