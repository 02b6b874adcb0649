// SPDX-License-Identifier: Apache-2.0
//
// One message of rtnetlink, through the parser of every kind. Values keep what the mirrors and the resolver count on,
// and errors are those that rtnl.h names.
#include "netlink/rtnl.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "fuzz.h"
#include "netlink/netfilter.h"
#include "netlink_input.h"

namespace dpuflow::netlink {
namespace {

using fuzz::Require;

template <typename T>
void Check(const Result<Event<T>>& event, bool (*is_sound)(const T&), const char* property) {
  if (event) return Require(is_sound(event->value), property);
  const int code = event.error().code;
  Require(code == EBADMSG || code == EINVAL || code == EAFNOSUPPORT, "an error is one of the three in rtnl.h");
  Require(!event.error().doing.empty(), "an error says what was being done");
}

bool IsSoundRoute(const Route& route) {
  const IpPrefix& destination = route.destination;
  const bool canonical = IpPrefix::Canonical(destination.address, destination.length) == destination;
  const bool nowhere = route.type == RTN_BLACKHOLE || route.type == RTN_UNREACHABLE;
  return canonical && !destination.address.is_none() && destination.length <= destination.address.bits() &&
         destination.Contains(destination.Last()) && (!nowhere || route.nexthops.empty()) &&
         std::all_of(route.nexthops.begin(), route.nexthops.end(), [](const NextHop& hop) { return hop.weight > 0; });
}

void ParseAsEverything(const nlmsghdr& message) {
  Check<Link>(
      ParseLink(message), [](const Link& link) { return link.ifindex > 0; }, "a link has an ifindex");
  Check<Address>(
      ParseAddress(message),
      [](const Address& address) { return !address.local.is_none() && address.prefix_length <= address.local.bits(); },
      "an address has a family, and its length fits it");
  Check<Neigh>(
      ParseNeigh(message), [](const Neigh& neigh) { return !neigh.address.is_none(); }, "a neighbour has an address");
  Check<Route>(ParseRoute(message), IsSoundRoute, "a route's prefix is canonical, and a blackhole leads nowhere");
  Check<NexthopObject>(
      ParseNexthop(message), [](const NexthopObject& nexthop) { return nexthop.id != 0; }, "a nexthop has an id");
  Check<Rule>(
      ParseRule(message), [](const Rule& rule) { return rule.family != Family::kNone; }, "a rule has a family");
  Require(ParseChain(message) || !ParseChain(message).error().doing.empty(), "an error says what was being done");
  Require(ParsePolicy(message) || !ParsePolicy(message).error().doing.empty(), "an error says what was being done");
  const auto bucket = ParseNexthopBucket(message);
  Require(bucket ? bucket->group != 0 : !bucket.error().doing.empty(), "a bucket is of a group");
  Check<Qdisc>(
      ParseQdisc(message), [](const Qdisc& qdisc) { return qdisc.kind.find('\0') == std::string::npos; },
      "a kind ends with its zero");
}

}  // namespace
}  // namespace dpuflow::netlink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const dpuflow::fuzz::OneMessage message(data, size);
  if (!message.empty()) dpuflow::netlink::ParseAsEverything(message.header());
  return 0;
}
