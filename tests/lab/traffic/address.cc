// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/traffic/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace labtraffic {
namespace {

// sockaddr_storage is made to be read as either of these.
sockaddr_in& V4(sockaddr_storage& storage) { return *reinterpret_cast<sockaddr_in*>(&storage); }
const sockaddr_in& V4(const sockaddr_storage& storage) { return *reinterpret_cast<const sockaddr_in*>(&storage); }
sockaddr_in6& V6(sockaddr_storage& storage) { return *reinterpret_cast<sockaddr_in6*>(&storage); }
const sockaddr_in6& V6(const sockaddr_storage& storage) { return *reinterpret_cast<const sockaddr_in6*>(&storage); }

std::uint16_t ParsePort(const std::string& text) {
  std::size_t used = 0;
  const unsigned long port = std::stoul(text, &used);
  if (used != text.size() || port > 65535) {
    throw std::invalid_argument("expected a port, found '" + text + "'");
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

Mac ParseMac(const std::string& text) {
  Mac mac;
  int used = 0;
  if (std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
                  &mac[5], &used) != 6 ||
      static_cast<std::size_t>(used) != text.size()) {
    throw std::invalid_argument("expected a MAC address, found '" + text + "'");
  }
  return mac;
}

std::string Format(const Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

Endpoint Endpoint::Parse(const std::string& text) {
  const bool bracket = !text.empty() && text.front() == '[';
  std::string address = text;
  std::uint16_t port = 0;
  if (bracket) {
    const auto end = text.find(']');
    address = text.substr(1, end == std::string::npos ? end : end - 1);
    if (end != std::string::npos && end + 1 < text.size()) {
      port = ParsePort(text.substr(end + 2));
    }
  } else if (text.find(':') == text.rfind(':') && text.find(':') != std::string::npos) {
    address = text.substr(0, text.find(':'));
    port = ParsePort(text.substr(text.find(':') + 1));
  }

  Endpoint endpoint;
  if (inet_pton(AF_INET, address.c_str(), &V4(endpoint.storage_).sin_addr) == 1) {
    V4(endpoint.storage_).sin_family = AF_INET;
    V4(endpoint.storage_).sin_port = htons(port);
  } else if (inet_pton(AF_INET6, address.c_str(), &V6(endpoint.storage_).sin6_addr) == 1) {
    V6(endpoint.storage_).sin6_family = AF_INET6;
    V6(endpoint.storage_).sin6_port = htons(port);
  } else {
    throw std::invalid_argument("expected ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, found '" + text + "'");
  }
  return endpoint;
}

Endpoint Endpoint::Any(int family, std::uint16_t port) {
  return Parse(family == AF_INET ? "0.0.0.0" : "::").Advanced(0, port);
}

Endpoint Endpoint::From(const sockaddr* address) {
  Endpoint endpoint;
  std::memcpy(&endpoint.storage_, address, address->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  return endpoint;
}

std::uint16_t Endpoint::port() const {
  return ntohs(family() == AF_INET ? V4(storage_).sin_port : V6(storage_).sin6_port);
}

std::string Endpoint::bytes() const {
  if (family() == AF_INET) {
    return std::string(reinterpret_cast<const char*>(&V4(storage_).sin_addr), 4);
  }
  return std::string(reinterpret_cast<const char*>(&V6(storage_).sin6_addr), 16);
}

std::string Endpoint::address() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family(), bytes().data(), text, sizeof(text));
  return text;
}

socklen_t Endpoint::size() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }

Endpoint Endpoint::Advanced(std::uint32_t addresses, std::uint16_t ports) const {
  Endpoint next = *this;
  const auto port = static_cast<std::uint16_t>(this->port() + ports);
  if (family() == AF_INET) {
    V4(next.storage_).sin_addr.s_addr = htonl(ntohl(V4(storage_).sin_addr.s_addr) + addresses);
    V4(next.storage_).sin_port = htons(port);
  } else {
    auto* low = V6(next.storage_).sin6_addr.s6_addr32 + 3;
    *low = htonl(ntohl(*low) + addresses);
    V6(next.storage_).sin6_port = htons(port);
  }
  return next;
}

}  // namespace labtraffic
