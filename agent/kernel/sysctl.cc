// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

namespace dpuflow::kernel {

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

int SysctlReader::File::Read() {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool opened = fd_.get() < 0;
    if (opened) fd_ = Fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 16> text;
    const ssize_t size = pread(fd_.get(), text.data(), text.size(), 0);
    int value = 0;
    if (size > 0 && std::from_chars(text.data(), text.data() + size, value).ec == std::errc()) return value;
    fd_.Reset();
    if (opened) break;  // else its interface has been made anew, or renamed, and the file is another one
  }
  return 0;
}

SysctlReader::InterfaceFiles::InterfaceFiles(const std::string& interface)
    : rp_filter("ipv4/conf/" + interface + "/rp_filter"),
      forwarding("ipv4/conf/" + interface + "/forwarding"),
      accept_local("ipv4/conf/" + interface + "/accept_local"),
      route_localnet("ipv4/conf/" + interface + "/route_localnet"),
      ignore_linkdown_v4("ipv4/conf/" + interface + "/ignore_routes_with_linkdown"),
      ignore_linkdown_v6("ipv6/conf/" + interface + "/ignore_routes_with_linkdown") {}

InterfaceSysctls SysctlReader::InterfaceFiles::Read() {
  InterfaceSysctls read;
  read.rp_filter = rp_filter.Read();
  read.forwarding = forwarding.Read();
  read.accept_local = accept_local.Read();
  read.route_localnet = route_localnet.Read();
  read.ignore_routes_with_linkdown = ignore_linkdown_v4.Read() | ignore_linkdown_v6.Read();
  return read;
}

Sysctls SysctlReader::Read(const std::set<std::string>& interfaces) {
  const auto policy = [](File& which, File& fields) {
    return HashPolicy{which.Read(), static_cast<std::uint32_t>(fields.Read())};
  };
  Sysctls sysctls;
  sysctls.hash_v4 = policy(policy_v4_, fields_v4_);
  sysctls.hash_v6 = policy(policy_v6_, fields_v6_);
  sysctls.fib_multipath_use_neigh = use_neigh_.Read();
  sysctls.ipv6_forwarding = ipv6_forwarding_.Read() != 0;
  std::error_code unreadable;
  sysctls.bridge_netfilter = std::filesystem::exists("/proc/sys/net/bridge/bridge-nf-call-iptables", unreadable);
  std::erase_if(interfaces_, [&](const auto& known) { return !interfaces.contains(known.first); });
  const InterfaceSysctls all = all_.Read();
  for (const std::string& name : interfaces) {
    InterfaceSysctls interface = interfaces_.try_emplace(name, name).first->second.Read();
    interface.rp_filter = std::max(all.rp_filter, interface.rp_filter);
    interface.accept_local |= all.accept_local;
    interface.route_localnet |= all.route_localnet;
    interface.ignore_routes_with_linkdown |= all.ignore_routes_with_linkdown;
    sysctls.interfaces.emplace(name, interface);
  }
  return sysctls;
}

}  // namespace dpuflow::kernel
