// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/forward_path.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace dpuflow::kernel {
namespace {

template <typename T>
bool Replace(T& old, T now) {
  if (old == now) return false;
  old = std::move(now);
  return true;
}

// Queues that let packets through in order, as fast as they go. Whatever else is at a port's egress shapes, drops or
// reorders on purpose.
bool Shapes(const netlink::Qdisc& qdisc) {
  constexpr std::array<std::string_view, 11> kPlain = {
      "noqueue", "pfifo_fast", "pfifo", "bfifo", "mq", "fq_codel", "fq", "codel", "clsact", "ingress", "mqprio"};
  return std::ranges::find(kPlain, qdisc.kind) == kPlain.end();
}

bool Filters(const netlink::BaseChain& chain) { return chain.drops || chain.rules > 0; }

bool OnForwardPath(const netlink::BaseChain& chain, Family family) {
  const bool of_family =
      chain.family == NFPROTO_INET || chain.family == (family == Family::kIpv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
  return of_family && (chain.hook == NF_INET_PRE_ROUTING || chain.hook == NF_INET_FORWARD ||
                       chain.hook == NF_INET_POST_ROUTING || chain.hook == NF_INET_INGRESS);
}

std::string Describe(const netlink::BaseChain& chain) {
  return fmt::format("netfilter has rules on its way (nft list chain, table {} chain {}; flows.netfilter)", chain.table,
                     chain.name);
}

}  // namespace

std::vector<std::string> ReadTableNames(const std::string& file) {
  std::vector<std::string> names;
  std::ifstream lines(file);
  for (std::string name; lines >> name;) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> ReadEbtables(const std::string& modules) {
  std::vector<std::string> tables;
  for (const char* table : {"broute", "filter", "nat"}) {
    std::error_code ignored;  // what cannot be looked at is not there
    if (std::filesystem::exists(fmt::format("{}/ebtable_{}", modules, table), ignored)) tables.emplace_back(table);
  }
  return tables;
}

bool ForwardPath::Reset(std::vector<netlink::BaseChain> chains) { return Replace(chains_, std::move(chains)); }
bool ForwardPath::Reset(std::vector<netlink::XfrmPolicy> policies) { return Replace(policies_, std::move(policies)); }
bool ForwardPath::Reset(QuietTables quiet) { return Replace(quiet_, std::move(quiet)); }

std::optional<flow::Reason> ForwardPath::WhyStack(Family family) const {
  for (const netlink::BaseChain& chain : chains_) {
    if (Filters(chain) && OnForwardPath(chain, family)) return flow::Reason{flow::Why::kNetfilter, Describe(chain)};
  }
  const bool v4 = family == Family::kIpv4;
  if (const auto& tables = v4 ? quiet_.iptables : quiet_.ip6tables; !tables.empty()) {
    return flow::Reason{flow::Why::kNetfilter,
                        fmt::format("{} has the table {} loaded ({}-legacy; flows.netfilter)",
                                    v4 ? "iptables" : "ip6tables", tables.front(), v4 ? "iptables" : "ip6tables")};
  }
  const std::uint16_t number = static_cast<std::uint16_t>(family);
  for (const netlink::XfrmPolicy& policy : policies_) {
    const bool forwarded = policy.direction == XFRM_POLICY_FWD || policy.direction == XFRM_POLICY_OUT;
    if (forwarded && (policy.family == 0 || policy.family == number)) {
      return flow::Reason{flow::Why::kXfrm, "an XFRM policy may concern it (ip xfrm policy; flows.netfilter)"};
    }
  }
  return std::nullopt;
}

std::optional<flow::Reason> ForwardPath::WhyStackOfBridge() const {
  for (const netlink::BaseChain& chain : chains_) {
    if (Filters(chain) && chain.family == NFPROTO_BRIDGE) return flow::Reason{flow::Why::kNetfilter, Describe(chain)};
  }
  if (!quiet_.ebtables.empty()) {
    return flow::Reason{flow::Why::kNetfilter,
                        fmt::format("ebtables has the table {0} loaded (ebtables-legacy; rmmod ebtable_{0}; "
                                    "flows.netfilter)",
                                    quiet_.ebtables.front())};
  }
  return std::nullopt;
}

std::optional<flow::Reason> ForwardPath::WhyStack(std::uint32_t ifindex, const std::string& name) const {
  for (const netlink::BaseChain& chain : chains_) {
    const bool here = std::ranges::find(chain.devices, name) != chain.devices.end();
    if (here && Filters(chain)) return flow::Reason{flow::Why::kNetfilter, Describe(chain)};
  }
  for (const netlink::Qdisc& qdisc : quiet_.qdiscs) {
    if (qdisc.ifindex == ifindex && Shapes(qdisc)) {
      return flow::Reason{flow::Why::kQueue,
                          fmt::format("{} has the queueing discipline {} (tc qdisc show dev {}; flows.netfilter)", name,
                                      qdisc.kind, name)};
    }
  }
  return std::nullopt;
}

}  // namespace dpuflow::kernel
