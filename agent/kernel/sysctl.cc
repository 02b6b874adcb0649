// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/sysctl.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace dpuflow::kernel {
namespace {

int Read(const std::string& name) {
  std::ifstream file("/proc/sys/net/" + name);
  int value = 0;
  file >> value;
  return file ? value : 0;
}

int ReadConf(const std::string& interface, const std::string& name) {
  return Read("ipv4/conf/" + interface + "/" + name);
}

HashPolicy ReadHashPolicy(const std::string& family) {
  HashPolicy policy;
  policy.policy = Read(family + "/fib_multipath_hash_policy");
  policy.fields = static_cast<std::uint32_t>(Read(family + "/fib_multipath_hash_fields"));
  return policy;
}

}  // namespace

bool Differ(const Sysctls& before, const Sysctls& after) {
  if (before.hash_v4 != after.hash_v4 || before.hash_v6 != after.hash_v6 ||
      before.fib_multipath_use_neigh != after.fib_multipath_use_neigh ||
      before.ipv6_forwarding != after.ipv6_forwarding || before.bridge_netfilter != after.bridge_netfilter) {
    return true;
  }
  return std::ranges::any_of(after.interfaces, [&](const auto& interface) {
    const auto known = before.interfaces.find(interface.first);
    return known != before.interfaces.end() && !(known->second == interface.second);
  });
}

Sysctls ReadSysctls(const std::set<std::string>& interfaces) {
  Sysctls sysctls;
  sysctls.hash_v4 = ReadHashPolicy("ipv4");
  sysctls.hash_v6 = ReadHashPolicy("ipv6");
  sysctls.fib_multipath_use_neigh = Read("ipv4/fib_multipath_use_neigh");
  sysctls.ipv6_forwarding = Read("ipv6/conf/all/forwarding") != 0;
  std::error_code unreadable;
  sysctls.bridge_netfilter = std::filesystem::exists("/proc/sys/net/bridge/bridge-nf-call-iptables", unreadable);
  const int all_rp_filter = ReadConf("all", "rp_filter");
  const int all_accept_local = ReadConf("all", "accept_local");
  const int all_route_localnet = ReadConf("all", "route_localnet");
  for (const std::string& name : interfaces) {
    InterfaceSysctls& interface = sysctls.interfaces[name];
    interface.rp_filter = std::max(all_rp_filter, ReadConf(name, "rp_filter"));
    interface.forwarding = ReadConf(name, "forwarding");
    interface.accept_local = all_accept_local | ReadConf(name, "accept_local");
    for (const char* family : {"ipv4", "ipv6"}) {
      for (const std::string& conf : {std::string("all"), name}) {
        interface.ignore_routes_with_linkdown |=
            Read(fmt::format("{}/conf/{}/ignore_routes_with_linkdown", family, conf));
      }
    }
    interface.route_localnet = all_route_localnet | ReadConf(name, "route_localnet");
  }
  return sysctls;
}

}  // namespace dpuflow::kernel
