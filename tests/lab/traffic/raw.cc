// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/lab/traffic/commands.h"
#include "tests/lab/traffic/frame.h"
#include "tests/lab/traffic/system.h"

namespace labtraffic {
namespace {

Fd OpenDevice(const std::string& device) {
  Fd fd(Check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket"));
  sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  Check(address.sll_ifindex == 0 ? -1 : 0, "device " + device);
  Check(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind to " + device);
  return fd;
}

}  // namespace

int Raw(const RawOptions& options) {
  std::vector<std::string> frames;
  for (const std::string& text : options.frames) {
    frames.push_back(FromHex(text));
  }
  for (std::string line; options.frames.empty() && std::getline(std::cin, line);) {
    frames.push_back(FromHex(line));
  }
  const Fd fd = OpenDevice(options.device);
  Schedule schedule(options.rate);
  std::uint64_t sent = 0;
  for (std::uint64_t round = 0; round < options.count; ++round) {
    for (const std::string& frame : frames) {
      schedule.WaitFor(sent);
      Check(send(fd.get(), frame.data(), frame.size(), 0), "send on " + options.device);
      ++sent;
    }
  }
  std::puts(nlohmann::json{{"sent", sent}}.dump(2).c_str());
  return 0;
}

}  // namespace labtraffic
