// SPDX-License-Identifier: Apache-2.0
//
// Where the receiver's packets come from: a UDP socket, or every frame of a device.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/lab/traffic/address.h"
#include "tests/lab/traffic/payload.h"
#include "tests/lab/traffic/system.h"

namespace labtraffic {

struct Arrival {
  Payload payload;
  int ttl = 0;
  std::string source;
  std::string destination;  // empty from a UDP socket
  std::optional<Mac> source_mac;
  std::optional<Mac> destination_mac;
  std::optional<std::uint16_t> vlan_tci;  // PCP, DEI, VLAN id
};

class ReceiveSocket {
 public:
  virtual ~ReceiveSocket() = default;
  virtual int fd() const = 0;
  // Reads one packet that has arrived; nothing if it is none of ours. Blocks if none has arrived.
  virtual std::optional<Arrival> Read() = 0;
};

std::unique_ptr<ReceiveSocket> OpenUdp(const Endpoint& bind);
// Frames from the network only, not those that this machine sends there.
std::unique_ptr<ReceiveSocket> OpenDevice(const std::string& device, std::uint16_t port);

}  // namespace labtraffic
