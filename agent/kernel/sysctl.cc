// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/sysctl.h"

#include <algorithm>
#include <fstream>

namespace dpuflow::kernel {
namespace {

int Read(const std::string& name) {
  std::ifstream file("/proc/sys/net/ipv4/" + name);
  int value = 0;
  file >> value;
  return file ? value : 0;
}

int ReadConf(const std::string& interface, const std::string& name) { return Read("conf/" + interface + "/" + name); }

}  // namespace

bool Differ(const Sysctls& before, const Sysctls& after) {
  if (before.fib_multipath_hash_policy != after.fib_multipath_hash_policy ||
      before.fib_multipath_use_neigh != after.fib_multipath_use_neigh) {
    return true;
  }
  return std::ranges::any_of(after.ports, [&](const auto& port) {
    const auto known = before.ports.find(port.first);
    return known != before.ports.end() && !(known->second == port.second);
  });
}

Sysctls ReadSysctls(const std::vector<std::string>& ports) {
  Sysctls sysctls;
  sysctls.fib_multipath_hash_policy = Read("fib_multipath_hash_policy");
  sysctls.fib_multipath_use_neigh = Read("fib_multipath_use_neigh");
  const int all_rp_filter = ReadConf("all", "rp_filter");
  for (const std::string& name : ports) {
    PortSysctls& port = sysctls.ports[name];
    port.rp_filter = std::max(all_rp_filter, ReadConf(name, "rp_filter"));
    port.forwarding = ReadConf(name, "forwarding");
    port.accept_local = ReadConf(name, "accept_local");
    port.route_localnet = ReadConf(name, "route_localnet");
  }
  return sysctls;
}

}  // namespace dpuflow::kernel
