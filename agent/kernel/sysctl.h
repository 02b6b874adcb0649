// SPDX-License-Identifier: Apache-2.0
//
// Settings of the kernel that decide about packets and announce no change: read each second.
//
// /proc/sys/net, of the calling thread's network namespace. Reads only; a file that is not there counts as 0.
#pragma once

#include <map>
#include <set>
#include <string>

#include "agent/daemon/fd.h"
#include "agent/kernel/key_fields.h"

namespace dpuflow::kernel {

struct InterfaceSysctls {
  int rp_filter = 0;  // the larger of conf/all and conf/INTERFACE: 0 off, 1 strict, 2 loose (ip-sysctl.rst)
  int forwarding = 0;
  int accept_local = 0;  // this and the next: set in conf/all or in conf/INTERFACE
  int route_localnet = 0;
  int ignore_routes_with_linkdown = 0;  // set in conf/all or in conf/INTERFACE, of either family

  bool operator==(const InterfaceSysctls&) const = default;
};

struct Sysctls {
  HashPolicy hash_v4;
  HashPolicy hash_v6;
  int fib_multipath_use_neigh = 0;
  bool bridge_netfilter = false;  // br_netfilter is there: iptables and its like may see bridged packets
  bool ipv6_forwarding = false;   // net.ipv6.conf.all.forwarding: ip6_forward looks at no other
  std::map<std::string, InterfaceSysctls> interfaces;  // by name

  bool operator==(const Sysctls&) const = default;
};

// Whether a setting has changed. An interface that only one of the two knows is no change: it has no flows yet, or no more.
[[nodiscard]] bool Differ(const Sysctls& before, const Sysctls& after);

// Reads them again and again. Files stay open meanwhile, six for each interface: opening costs several times what reading does.
class SysctlReader {
 public:
  Sysctls Read(const std::set<std::string>& interfaces);

 private:
  class File {
   public:
    explicit File(const std::string& name) : path_("/proc/sys/net/" + name) {}
    [[nodiscard]] int Read();

   private:
    std::string path_;
    Fd fd_;
  };
  struct InterfaceFiles {
    explicit InterfaceFiles(const std::string& interface);
    [[nodiscard]] InterfaceSysctls Read();

    File rp_filter, forwarding, accept_local, route_localnet, ignore_linkdown_v4, ignore_linkdown_v6;
  };

  File policy_v4_{"ipv4/fib_multipath_hash_policy"};
  File policy_v6_{"ipv6/fib_multipath_hash_policy"};
  File fields_v4_{"ipv4/fib_multipath_hash_fields"};
  File fields_v6_{"ipv6/fib_multipath_hash_fields"};
  File use_neigh_{"ipv4/fib_multipath_use_neigh"};
  File ipv6_forwarding_{"ipv6/conf/all/forwarding"};
  InterfaceFiles all_{"all"};
  std::map<std::string, InterfaceFiles> interfaces_;  // by name
};

}  // namespace dpuflow::kernel
