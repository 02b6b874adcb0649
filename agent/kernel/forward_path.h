// SPDX-License-Identifier: Apache-2.0
//
// What stands in a forwarded packet's way beside routing, and that hardware and the classifier would pass by: netfilter
// rules, XFRM policies, queues that shape. Pure: takes what the watcher reads, and says why a packet must take the
// kernel's stack.
//
// Rules that do nothing to a packet count like those that do: nobody here reads them. A base chain counts when it has a
// rule or a policy of drop. Of iptables' own tables (not nf_tables) only their presence can be seen without a raw socket,
// so that counts (/proc/net/ip_tables_names), and of those of ebtables only whether the kernel has them (/sys/module).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/flow/reason.h"
#include "netlink/address.h"
#include "netlink/netfilter.h"
#include "netlink/values.h"

namespace dpuflow::kernel {

// What has no notification, or one that costs too much to listen to (RTNLGRP_TC hears of every filter): read each second.
struct QuietTables {
  std::vector<netlink::Qdisc> qdiscs;
  std::vector<std::string> iptables;  // tables of iptables-legacy that are loaded
  std::vector<std::string> ip6tables;
  std::vector<std::string> ebtables{};  // likewise, whichever network namespace they are used in

  bool operator==(const QuietTables&) const = default;
};
// Of the calling thread's network namespace.
std::vector<std::string> ReadTableNames(const std::string& file);
// `modules`: /sys/module.
std::vector<std::string> ReadEbtables(const std::string& modules);

class ForwardPath {
 public:
  // Each returns whether anything has changed.
  bool Reset(std::vector<netlink::BaseChain> chains);
  bool Reset(std::vector<netlink::XfrmPolicy> policies);
  bool Reset(QuietTables quiet);

  // Why a packet of this family must take the kernel's stack wherever it enters and leaves; nothing: it need not.
  [[nodiscard]] std::optional<flow::Reason> WhyStack(Family family) const;
  // The same of what enters by a bridge: rules of nf_tables' own family for bridges, and ebtables.
  [[nodiscard]] std::optional<flow::Reason> WhyStackOfBridge() const;
  // The same of whatever enters or leaves by an interface.
  [[nodiscard]] std::optional<flow::Reason> WhyStack(std::uint32_t ifindex, const std::string& name) const;

 private:
  std::vector<netlink::BaseChain> chains_;
  std::vector<netlink::XfrmPolicy> policies_;
  QuietTables quiet_;
};

}  // namespace dpuflow::kernel
