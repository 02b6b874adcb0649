// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/decision.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace dpuflow::kernel {
namespace {

using flow::Answer;

// Why the kernel would not forward at all; nothing where it would.
std::optional<std::string> NotForwarded(const PathAnswer& path) {
  switch (path.result) {
    case PathAnswer::Result::kLocal:
      return "for this machine itself, not unicast, or without a route";
    case PathAnswer::Result::kBlackhole:
      return "the route is a blackhole";
    case PathAnswer::Result::kUnreachable:
      return "no route";
    case PathAnswer::Result::kProhibit:
      return "the route prohibits it";
    case PathAnswer::Result::kForwardingOff:
      return "forwarding is off at the ingress (sysctl net.ipv4.ip_forward)";
    case PathAnswer::Result::kTunnel:
      return "the route leads into a lightweight tunnel";
    case PathAnswer::Result::kFailed:
      return fmt::format("the route lookup failed ({})", ErrnoName(path.error));
    case PathAnswer::Result::kForward:
    case PathAnswer::Result::kNoNeigh:
    case PathAnswer::Result::kTooBig:
      break;
  }
  return std::nullopt;
}

std::string RouteErrorText(const Error& error) {
  switch (error.code) {
    case EXDEV:
      return "the source fails the reverse-path check (rp_filter)";
    case EINVAL:
      return "the source is not acceptable (martian)";
    default:
      return fmt::format("the kernel refuses it ({})", ErrnoName(error.code));
  }
}

// All paths of the route and not only the one taken: when another member comes or goes, this one's choice may change.
flow::Dependencies DependenciesOf(const netlink::Route& route, const IpAddress& destination) {
  flow::Dependencies dependencies;
  dependencies.route = route.destination;
  dependencies.table = route.table;
  dependencies.nexthop_id = route.nexthop_id;
  for (const netlink::NextHop& hop : route.nexthops) {
    if (std::ranges::find(dependencies.links, hop.ifindex) == dependencies.links.end()) {
      dependencies.links.push_back(hop.ifindex);
    }
    dependencies.neighs.push_back({hop.ifindex, hop.gateway.is_none() ? destination : hop.gateway});
  }
  return dependencies;
}

// Why hardware must not do what the kernel would; nothing where it may.
std::optional<std::string> NotOffloadable(const flow::Question& question, const PathAnswer& path,
                                          const netlink::Route& route, const DecisionPorts& ports) {
  if (route.type != RTN_UNICAST) return "the route is not unicast";
  if (route.nexthops.size() > 1) return "the route has several paths";
  if (std::ranges::any_of(route.nexthops, [](const netlink::NextHop& hop) { return hop.encapsulated; })) {
    return "the route encapsulates";
  }
  const std::uint32_t egress = path.egress != 0 ? path.egress : route.nexthops.empty() ? 0 : route.nexthops[0].ifindex;
  if (egress == question.miss.port) return "it leaves by the port at which it enters";
  const auto port = ports.find(egress);
  if (port == ports.end()) return fmt::format("it leaves by ifindex {}, which is no port of the switch", egress);
  if (!port->second.ready) return fmt::format("it leaves by {}, which takes no part", port->second.name);
  return std::nullopt;
}

}  // namespace

flow::Answer Decide(const flow::Question& question, const PathAnswer& path, const Result<netlink::Route>& route,
                    const DecisionPorts& ports, const DecisionSettings& settings) {
  Answer answer;
  answer.question = question;
  const auto software = [&](std::string reason) {
    answer.verdict = Answer::Verdict::kSoftware;
    answer.reason = std::move(reason);
    return answer;
  };
  if (route) answer.dependencies = DependenciesOf(*route, question.miss.destination);
  if (auto why = NotForwarded(path)) {
    // The destination is to blame, so the source is not judged: a refusal by RTM_GETROUTE may be about either.
    answer.source_valid = route.has_value();
    return software(std::move(*why));
  }
  if (!route) return software(RouteErrorText(route.error()));
  answer.source_valid = true;
  if (auto why = NotOffloadable(question, path, *route, ports)) return software(std::move(*why));
  if (path.result == PathAnswer::Result::kTooBig && !settings.trust_size) {
    return software(fmt::format("its egress takes {} bytes, its ingress can send more (flows.oversize)", path.mtu));
  }
  answer.adjacency = {path.egress, path.source_mac, path.destination_mac};
  if (path.result == PathAnswer::Result::kNoNeigh) {
    answer.verdict = Answer::Verdict::kWait;
    answer.reason = fmt::format("waits for the neighbour {}", path.next_hop);
    return answer;
  }
  answer.verdict = Answer::Verdict::kForward;
  return answer;
}

}  // namespace dpuflow::kernel
