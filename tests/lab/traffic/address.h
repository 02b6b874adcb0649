// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

namespace labtraffic {

using Mac = std::array<std::uint8_t, 6>;

// Throws std::invalid_argument naming the text that is no MAC address.
Mac ParseMac(const std::string& text);
std::string Format(const Mac& mac);

// An IPv4 or IPv6 address with a port, as sockets take it.
class Endpoint {
 public:
  // "192.0.2.1:9", "[2001:db8::1]:9"; without a port, port 0. Throws std::invalid_argument.
  static Endpoint Parse(const std::string& text);
  static Endpoint Any(int family, std::uint16_t port);
  static Endpoint From(const sockaddr* address);

  int family() const { return storage_.ss_family; }
  std::uint16_t port() const;
  // The address's bytes in network order: 4 or 16 of them.
  std::string bytes() const;
  std::string address() const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const;

  // The endpoint this many addresses and ports further.
  Endpoint Advanced(std::uint32_t addresses, std::uint16_t ports) const;

 private:
  sockaddr_storage storage_ = {};
};

}  // namespace labtraffic
