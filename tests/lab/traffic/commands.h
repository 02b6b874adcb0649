// SPDX-License-Identifier: Apache-2.0
//
// The tool's commands. Each does its work, prints one JSON object and returns the process's exit code; errors of the
// system are thrown as std::system_error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace labtraffic {

struct SendOptions {
  std::string to;
  std::string from;
  std::uint64_t count = 1;  // 0: until SIGTERM, which ends any other count as well
  double rate = 0;          // packets per second; 0: as fast as it goes
  std::size_t size = 64;
  int ttl = 0;  // 0: the kernel's default
  std::uint64_t start = 0;
  std::uint32_t flows = 1;  // packet n belongs to flow n % flows
  std::string spread = "port";
  bool end = true;
};
int Send(const SendOptions& options);

struct ReceiveOptions {
  std::string bind;    // a UDP socket on this address, or
  std::string device;  // the frames that arrive on this device, for UDP to `port`
  std::uint16_t port = 0;
  std::uint64_t count = 0;  // stop at this many different packets; 0: at the end marker
  int idle_ms = 500;        // how long it must be quiet after the end marker
  int timeout_ms = 60'000;
  std::string ready;
};
int Receive(const ReceiveOptions& options);

struct RawOptions {
  std::string device;
  std::vector<std::string> frames;  // hexadecimal; empty: one a line from standard input
  std::uint64_t count = 1;
  double rate = 0;
};
int Raw(const RawOptions& options);

}  // namespace labtraffic
