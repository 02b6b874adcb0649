// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/watcher.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

#include "agent/daemon/thread_cpu.h"
#include "netlink/netfilter.h"
#include "netlink/rtnl.h"

namespace dpuflow::kernel {
namespace {

using netlink::Event;
using netlink::MessageBuffer;
using netlink::ReceiveStatus;

// A failed or overflowing table is read again after this; it bounds what a flood can make the kernel dump.
constexpr std::chrono::milliseconds kRepeat{500};
constexpr std::chrono::milliseconds kQuietPeriod{1000};  // between two reads of what announces nothing
constexpr int kReceiveBuffer = 8 << 20;                  // bytes: some 20,000 route events
// Notifications wait while routes are looked through. Where that takes longer than this, it is left out when all tables are
// read though nothing is known to be lost.
constexpr std::chrono::milliseconds kRoutesPause{200};
constexpr int kFloodTurns =
    16;  // readings of a flood that does not end, after which what was lost is made up for all the same
constexpr std::chrono::milliseconds kPause{2};  // until more has come
constexpr std::size_t kLittle = 64;             // events of a turn: while it is no more, there are pauses
constexpr int kExactTries = 3;                  // readings of all tables until one is taken as it is

template <typename T>
void Append(std::vector<KernelEvent>& events, Result<T> parsed) {
  if (parsed) events.emplace_back(std::move(*parsed));
}

// Of a route only its prefix matters, the kernel is asked for the rest; but some things it would not say. `special`: the
// prefixes of which a route has been handed on, so that what takes its place is handed on as well.
void AppendRoute(std::vector<KernelEvent>& events, const nlmsghdr& message, std::set<IpPrefix>& special) {
  auto route = netlink::ParseRoute(message);
  if (!route) return;
  events.emplace_back(flow::Change{flow::RouteChanged{route->value.destination}});
  if (IsSpecial(route->value)) special.insert(route->value.destination);
  if (special.contains(route->value.destination)) events.emplace_back(std::move(*route));
}

// Links and neighbours of a bridge have the message types of others.
bool IsOfBridge(const nlmsghdr& message) {
  netlink::MessageReader reader(message);
  return reader.Header<rtgenmsg>().rtgen_family == AF_BRIDGE;
}

// Which packets a bucket stands for nobody says, so it concerns all flows of its group. Buckets move in rows, of hundreds
// when a member is new: a row is one event.
void AppendBucket(std::vector<KernelEvent>& events, const nlmsghdr& message) {
  const auto bucket = netlink::ParseNexthopBucket(message);
  if (!bucket) return;
  const auto* last = events.empty() ? nullptr : std::get_if<flow::Change>(&events.back());
  const auto* nexthop = last == nullptr ? nullptr : std::get_if<flow::NexthopChanged>(last);
  if (nexthop != nullptr && nexthop->id == bucket->group) return;
  events.emplace_back(flow::Change{flow::NexthopChanged{bucket->group}});
}

void ParseInto(std::vector<KernelEvent>& events, const nlmsghdr& message, std::set<IpPrefix>& special) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return IsOfBridge(message) ? Append(events, netlink::ParseBridgePort(message))
                                 : Append(events, netlink::ParseLink(message));
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return Append(events, netlink::ParseAddress(message));
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return IsOfBridge(message) ? Append(events, netlink::ParseFdbEntry(message))
                                 : Append(events, netlink::ParseNeigh(message));
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return AppendRoute(events, message, special);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      return Append(events, netlink::ParseNexthop(message));
    case RTM_NEWNEXTHOPBUCKET:
      return AppendBucket(events, message);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return Append(events, netlink::ParseRule(message));
    default:
      return;
  }
}

Result<netlink::Socket> Subscribe(std::vector<unsigned> groups, int protocol = NETLINK_ROUTE) {
  netlink::SocketOptions options;
  options.protocol = protocol;
  options.groups = std::move(groups);
  options.receive_buffer = kReceiveBuffer;
  options.nonblocking = true;
  return netlink::Socket::Open(options);
}

// As its ports tell it. Empty: none does.
std::string SwitchIdOf(const netlink::DevlinkHandle& eswitch, const std::vector<netlink::DevlinkPort>& ports,
                       netlink::Socket& socket) {
  for (const netlink::DevlinkPort& port : ports) {
    if (port.handle != eswitch || port.ifindex == 0) continue;
    MessageBuffer question;
    netlink::AppendLinkQuery(question, socket.NextSeq(), port.ifindex);
    const auto answer = socket.Ask(question, fmt::format("ask for the switch of ifindex {}", port.ifindex));
    if (!answer) continue;  // it went
    const auto link = netlink::ParseLink(answer->header());
    if (link && !link->value.switch_id.empty()) return link->value.switch_id;
  }
  return {};
}

// An instance without an eswitch answers with an error, of which drivers have several; one of these says nothing of it.
bool MayPass(const Error& error) {
  constexpr std::array kPassing = {EBUSY, EAGAIN, EINTR, ENOMEM, ENOBUFS, ETIMEDOUT};
  return std::ranges::find(kPassing, error.code) != kPassing.end();
}

}  // namespace

Result<DevlinkState> ReadDevlink() {
  auto devlink = netlink::Devlink::Open();
  if (!devlink) return tl::make_unexpected(devlink.error());
  auto links = netlink::Socket::Open();
  if (!links) return tl::make_unexpected(links.error());
  const auto devices = devlink->Devices();
  if (!devices) return tl::make_unexpected(devices.error());
  DevlinkState state;
  auto ports = devlink->Ports();
  if (!ports) return tl::make_unexpected(ports.error());
  state.ports = std::move(*ports);
  for (const netlink::DevlinkHandle& handle : *devices) {
    const auto mode = devlink->Eswitch(handle);
    if (!mode && MayPass(mode.error())) return tl::make_unexpected(mode.error());
    if (mode) state.eswitches.push_back({handle, *mode, SwitchIdOf(handle, state.ports, *links)});
  }
  return state;
}

// The subscriptions, and which of them have lost something and await a dump.
struct Watcher::Subscriptions {
  struct Subscription {
    std::string what;
    netlink::Socket socket;
    // Reads the tables behind the subscription; what could not be read is an error and is tried again.
    Result<void> (Subscriptions::*dump)(std::vector<KernelEvent>&);
    bool signals_only = false;  // a message says that the tables are to be read, and no more
    // What was lost need not show in the tables: a route is in none, and what changed there and back leaves no difference,
    // though a flow may have been resolved in between.
    bool hides = false;
    bool lost = true;      // at the start everything has to be read
    bool drained = false;  // nothing stood in its queue any more when that was read last
    bool readable = true;  // something may stand there
    std::chrono::steady_clock::time_point repeat{};
  };

  std::vector<Subscription> rtnetlink;
  netlink::DevlinkMonitor devlink;
  bool devlink_lost = true;
  netlink::Socket dumps;
  // Nothing where the kernel has no such protocol: then there are no rules or policies either.
  std::optional<netlink::Socket> netfilter_dumps;
  std::optional<netlink::Socket> xfrm_dumps;
  std::optional<QuietTables> quiet;  // as last given to the sink
  std::set<IpPrefix> special;        // prefixes of SpecialRoutes
  std::chrono::steady_clock::time_point quiet_due{};
  std::chrono::steady_clock::time_point devlink_repeat{};
  std::chrono::steady_clock::duration routes_took{};  // the last look through all of them

  static Result<std::unique_ptr<Subscriptions>> Open();
  template <typename Parser>
  Result<void> Read(netlink::Socket& socket, const char* what, void (*request)(MessageBuffer&, std::uint32_t),
                    Parser parse, std::vector<KernelEvent>& events);
  Result<void> DumpLinks(std::vector<KernelEvent>& events);
  Result<void> DumpBridgePorts(std::vector<KernelEvent>& events);
  Result<void> DumpVlanHalts(std::vector<KernelEvent>& events);
  Result<void> DumpNexthops(std::vector<KernelEvent>& events);
  Result<void> DumpRoutes(std::vector<KernelEvent>& events);
  Result<void> DumpSpecialRoutes(std::vector<KernelEvent>& events);
  Result<void> DumpNeighs(std::vector<KernelEvent>& events);
  Result<void> DumpChains(std::vector<KernelEvent>& events);
  Result<void> DumpPolicies(std::vector<KernelEvent>& events);
  void ReadQuiet(std::vector<KernelEvent>& events);
  void OpenForwardPath();
  void Receive(Subscription& subscription, std::vector<KernelEvent>& events, bool& more);
  void ReceiveDevlink(std::vector<KernelEvent>& events);
  void WaitForRtnl();
  void Recover(std::vector<KernelEvent>& events);
  Result<void> DumpAll(std::vector<KernelEvent>& events);
  [[nodiscard]] bool anything_lost() const;
  [[nodiscard]] bool anything_announced() const;  // and not yet read
};

Result<std::unique_ptr<Watcher::Subscriptions>> Watcher::Subscriptions::Open() {
  auto links =
      Subscribe({RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE});
  auto routes = Subscribe({RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP});
  auto neighs = Subscribe({RTNLGRP_NEIGH});
  auto bridge_vlans = Subscribe({RTNLGRP_BRVLAN});
  auto dumps = netlink::Socket::Open({});
  for (const auto* socket : {&links, &routes, &neighs, &bridge_vlans, &dumps}) {
    if (!*socket) return tl::make_unexpected(socket->error());
  }
  auto devlink = netlink::DevlinkMonitor::Open();
  if (!devlink) return tl::make_unexpected(devlink.error());
  std::vector<Subscription> rtnetlink;
  rtnetlink.push_back({"links", std::move(*links), &Subscriptions::DumpLinks});
  rtnetlink.push_back({"routes", std::move(*routes), &Subscriptions::DumpRoutes, false, true});
  rtnetlink.push_back({"neighbours", std::move(*neighs), &Subscriptions::DumpNeighs, false, true});
  rtnetlink.push_back({"bridge VLANs", std::move(*bridge_vlans), &Subscriptions::DumpBridgePorts, true});
  std::unique_ptr<Subscriptions> subscriptions(new Subscriptions{
      std::move(rtnetlink), std::move(*devlink), true, std::move(*dumps), {}, {}, {}, {}, {}, {}, {}});
  subscriptions->OpenForwardPath();
  return subscriptions;
}

void Watcher::Subscriptions::OpenForwardPath() {
  const auto open = [&](const char* what, int protocol, unsigned group, auto dump) -> std::optional<netlink::Socket> {
    auto events = Subscribe({group}, protocol);
    netlink::SocketOptions options;
    options.protocol = protocol;
    auto questions = netlink::Socket::Open(options);
    if (!events || !questions) return std::nullopt;
    rtnetlink.push_back({what, std::move(*events), dump, true});
    return std::move(*questions);
  };
  netfilter_dumps = open("netfilter", NETLINK_NETFILTER, NFNLGRP_NFTABLES, &Subscriptions::DumpChains);
  xfrm_dumps = open("xfrm", NETLINK_XFRM, XFRMNLGRP_POLICY, &Subscriptions::DumpPolicies);
}

template <typename Parser>
Result<void> Watcher::Subscriptions::Read(netlink::Socket& socket, const char* what,
                                          void (*request)(MessageBuffer&, std::uint32_t), Parser parse,
                                          std::vector<KernelEvent>& events) {
  MessageBuffer buffer;
  request(buffer, socket.NextSeq());
  auto values = socket.Collect(buffer, what, parse);
  if (!values) return tl::make_unexpected(values.error());
  events.emplace_back(std::move(*values));
  return {};
}

// All of a table, of both families where it has two.
Result<void> Watcher::Subscriptions::DumpLinks(std::vector<KernelEvent>& events) {
  if (auto links = Read(dumps, "list links", netlink::AppendLinkDump, netlink::ParseLink, events); !links) return links;
  if (auto ports = DumpBridgePorts(events); !ports) return ports;
  const auto addresses = [](MessageBuffer& buffer, std::uint32_t seq) { netlink::AppendAddressDump(buffer, seq); };
  if (auto read = Read(dumps, "list addresses", addresses, netlink::ParseAddress, events); !read) return read;
  const auto rules = [](MessageBuffer& buffer, std::uint32_t seq) { netlink::AppendRuleDump(buffer, seq); };
  return Read(dumps, "list rules", rules, netlink::ParseRule, events);
}

Result<void> Watcher::Subscriptions::DumpBridgePorts(std::vector<KernelEvent>& events) {
  auto ports = Read(dumps, "list bridge ports", netlink::AppendBridgePortDump, netlink::ParseBridgePort, events);
  return ports ? DumpVlanHalts(events) : ports;
}

Result<void> Watcher::Subscriptions::DumpVlanHalts(std::vector<KernelEvent>& events) {
  VlanHalts halts;
  MessageBuffer request;
  netlink::AppendVlanDump(request, dumps.NextSeq());
  const auto by_port = dumps.Collect(request, "list VLANs of bridges", netlink::ParseVlanHalts);
  if (!by_port && by_port.error().code != EOPNOTSUPP) return tl::make_unexpected(by_port.error());
  if (by_port) {
    for (const VlanHalts& of_port : *by_port) halts.insert(halts.end(), of_port.begin(), of_port.end());
  }
  events.emplace_back(std::move(halts));
  return {};
}

Result<void> Watcher::Subscriptions::DumpNexthops(std::vector<KernelEvent>& events) {
  return Read(dumps, "list nexthops", netlink::AppendNexthopDump, netlink::ParseNexthop, events);
}

Result<void> Watcher::Subscriptions::DumpRoutes(std::vector<KernelEvent>& events) {
  if (auto read = DumpNexthops(events); !read) return read;
  const auto began = std::chrono::steady_clock::now();
  auto read = DumpSpecialRoutes(events);
  routes_took = std::chrono::steady_clock::now() - began;
  return read;
}

// Looks through all routes, and keeps few.
Result<void> Watcher::Subscriptions::DumpSpecialRoutes(std::vector<KernelEvent>& events) {
  SpecialRoutes routes;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    SpecialRoutes of_family;
    MessageBuffer request;
    netlink::AppendRouteDump(request, dumps.NextSeq(), {family, 0, 0});
    const auto keep = [&](const nlmsghdr& message) -> Result<void> {
      auto route = netlink::ParseRoute(message);
      if (route && IsSpecial(route->value)) of_family.push_back(std::move(route->value));
      return {};
    };
    const auto again = [&] { of_family.clear(); };
    if (auto read = dumps.Dump(request, "list routes", again, keep); !read) return read;
    for (netlink::Route& route : of_family) {
      special.insert(route.destination);
      routes.push_back(std::move(route));
    }
  }
  events.emplace_back(std::move(routes));
  return {};
}

Result<void> Watcher::Subscriptions::DumpNeighs(std::vector<KernelEvent>& events) {
  const auto request = [](MessageBuffer& buffer, std::uint32_t seq) { netlink::AppendNeighDump(buffer, seq); };
  if (auto neighs = Read(dumps, "list neighbours", request, netlink::ParseNeigh, events); !neighs) return neighs;
  return Read(dumps, "list stations", netlink::AppendFdbDump, netlink::ParseFdbEntry, events);
}

// A kernel without the module answers EINVAL or EOPNOTSUPP: it has no rules.
Result<void> Watcher::Subscriptions::DumpChains(std::vector<KernelEvent>& events) {
  auto read = Read(*netfilter_dumps, "list chains", netlink::AppendChainDump, netlink::ParseChain, events);
  if (read || (read.error().code != EINVAL && read.error().code != EOPNOTSUPP)) return read;
  events.emplace_back(BaseChains{});
  return {};
}

Result<void> Watcher::Subscriptions::DumpPolicies(std::vector<KernelEvent>& events) {
  return Read(*xfrm_dumps, "list policies", netlink::AppendPolicyDump, netlink::ParsePolicy, events);
}

void Watcher::Subscriptions::ReadQuiet(std::vector<KernelEvent>& events) {
  quiet_due = std::chrono::steady_clock::now() + kQuietPeriod;
  MessageBuffer buffer;
  netlink::AppendQdiscDump(buffer, dumps.NextSeq());
  auto qdiscs = dumps.Collect(buffer, "list qdiscs", netlink::ParseQdisc);
  if (!qdiscs) {
    events.emplace_back(Trouble{qdiscs.error()});
    return;
  }
  QuietTables now{std::move(*qdiscs), ReadTableNames("/proc/net/ip_tables_names"),
                  ReadTableNames("/proc/net/ip6_tables_names"), ReadEbtables("/sys/module")};
  if (quiet == now) return;
  quiet = now;
  events.emplace_back(std::move(now));
}

void Watcher::Subscriptions::Receive(Subscription& subscription, std::vector<KernelEvent>& events, bool& more) {
  if (!std::exchange(subscription.readable, false)) return;
  const auto status = subscription.socket.Receive([&](const nlmsghdr& message) {
    if (subscription.signals_only) {
      subscription.lost = true;
    } else {
      ParseInto(events, message, special);
    }
  });
  subscription.drained = !status || *status == ReceiveStatus::kDrained;
  if (!status) {
    events.emplace_back(Trouble{status.error()});
    subscription.lost = true;
  } else if (*status == ReceiveStatus::kOverflow) {
    events.emplace_back(Overflow{subscription.what});
    subscription.lost = true;
    subscription.readable = more = true;
  } else if (*status == ReceiveStatus::kMore) {
    subscription.readable = more = true;
  }
}

void Watcher::Subscriptions::ReceiveDevlink(std::vector<KernelEvent>& events) {
  const auto status = devlink.Receive([&] { devlink_lost = true; });  // rare: the tables are read as a whole
  if (!status) {
    events.emplace_back(Trouble{status.error()});
    devlink_lost = true;
  } else if (*status == ReceiveStatus::kOverflow) {
    events.emplace_back(Overflow{"devlink"});
    devlink_lost = true;
  }
}

// Returns when whoever holds rtnl now has let it go (watcher.h says why). What the question is does not matter, nor what
// the answer is: RTM_GETLINK takes rtnl.
void Watcher::Subscriptions::WaitForRtnl() {
  constexpr std::uint32_t kLoopback = 1;  // its ifindex in every network namespace
  MessageBuffer question;
  netlink::AppendLinkQuery(question, dumps.NextSeq(), kLoopback);
  (void)dumps.Ask(question, "wait for rtnl");
}

void Watcher::Subscriptions::Recover(std::vector<KernelEvent>& events) {
  const auto now = std::chrono::steady_clock::now();
  for (Subscription& subscription : rtnetlink) {
    if (!subscription.lost || now < subscription.repeat) continue;
    subscription.repeat = now + kRepeat;
    if (auto dumped = (this->*subscription.dump)(events); dumped) {
      // What still stands in the queue is older than the table, and will be taken for newer.
      subscription.lost = !subscription.drained;
      if (subscription.hides) events.emplace_back(flow::Change{flow::EverythingChanged{}});
    } else {
      events.emplace_back(Trouble{dumped.error()});
    }
  }
  if (!devlink_lost || now < devlink_repeat) return;
  devlink_repeat = now + kRepeat;
  if (auto state = ReadDevlink(); state) {
    events.emplace_back(std::move(*state));
    devlink_lost = false;
  } else {
    events.emplace_back(Trouble{state.error()});
  }
}

Result<void> Watcher::Subscriptions::DumpAll(std::vector<KernelEvent>& events) {
  for (const Subscription& subscription : rtnetlink) {
    const bool too_many = subscription.dump == &Subscriptions::DumpRoutes && routes_took > kRoutesPause;
    const auto dump = too_many ? &Subscriptions::DumpNexthops : subscription.dump;
    if (auto dumped = (this->*dump)(events); !dumped) return dumped;
  }
  return {};
}

bool Watcher::Subscriptions::anything_announced() const {
  std::vector<pollfd> fds;
  for (const Subscription& subscription : rtnetlink) fds.push_back({subscription.socket.fd(), POLLIN, 0});
  return poll(fds.data(), fds.size(), 0) != 0;
}

bool Watcher::Subscriptions::anything_lost() const {
  for (const Subscription& subscription : rtnetlink) {
    if (subscription.lost) return true;
  }
  return devlink_lost;
}

// ---- the thread -----------------------------------------------------------------------------------------------------

Watcher::Watcher(std::unique_ptr<Subscriptions> subscriptions, Sink sink, Notifier wake)
    : subscriptions_(std::move(subscriptions)), sink_(std::move(sink)), wake_(std::move(wake)) {
  thread_ = std::thread([this] { Run(); });
}

Watcher::~Watcher() {
  stopping_ = true;
  wake_.Notify();
  thread_.join();
}

Result<std::unique_ptr<Watcher>> Watcher::Start(Sink sink) {
  auto subscriptions = Subscriptions::Open();
  if (!subscriptions) return tl::make_unexpected(subscriptions.error());
  auto wake = Notifier::Create();
  if (!wake) return tl::make_unexpected(wake.error());
  return std::unique_ptr<Watcher>(new Watcher(std::move(*subscriptions), std::move(sink), std::move(*wake)));
}

void Watcher::RequestBarrier(std::uint64_t id) {
  barrier_requested_ = id;
  wake_.Notify();
}

void Watcher::RequestTables(std::uint64_t id) {
  tables_requested_ = id;
  wake_.Notify();
}

void Watcher::Run() {
  while (!stopping_ && Turn()) Wait();
}

// Until there is something to be read, or asked for.
void Watcher::Wait() {
  pollfd wake{wake_.fd(), POLLIN, 0};
  if (handed_on_ > 0 && handed_on_ <= kLittle) poll(&wake, 1, static_cast<int>(kPause.count()));
  std::vector<pollfd> fds = {wake, {subscriptions_->devlink.fd(), POLLIN, 0}};
  for (const auto& subscription : subscriptions_->rtnetlink) fds.push_back({subscription.socket.fd(), POLLIN, 0});
  const auto timeout = subscriptions_->anything_lost() ? kRepeat : kQuietPeriod;
  poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));  // an error (EINTR) is a turn that finds nothing
  for (std::size_t i = 0; i < subscriptions_->rtnetlink.size(); ++i) {
    subscriptions_->rtnetlink[i].readable = fds[i + 2].revents != 0;
  }
}

// Reads everything that is there, gives it to the sink, and answers a barrier. False: the sink wants no more.
bool Watcher::Turn() {
  wake_.Consume();
  // Read before the sockets are: what was announced before the request is then in this turn's events.
  const std::uint64_t barrier = barrier_requested_;
  const std::uint64_t tables = tables_requested_;
  const bool asked = barrier > barrier_given_ || tables > tables_given_;
  handed_on_ = 0;
  bool more = true;
  for (int turn = 1; more && !stopping_; ++turn) {
    more = false;
    std::vector<KernelEvent> events;
    for (auto& subscription : subscriptions_->rtnetlink) {
      // poll() has looked a while ago.
      subscription.readable |= asked || turn > 1 || subscription.lost;
      subscriptions_->Receive(subscription, events, more);
    }
    if (!events.empty()) subscriptions_->WaitForRtnl();
    subscriptions_->ReceiveDevlink(events);
    const bool lost = subscriptions_->anything_lost();
    // A flood of one kind must not keep what was lost of another from being read.
    if (!more || turn % kFloodTurns == 0) subscriptions_->Recover(events);
    if (!more) {
      if (barrier > barrier_given_ || std::chrono::steady_clock::now() >= subscriptions_->quiet_due) {
        subscriptions_->ReadQuiet(events);
      }
      if (tables > tables_given_ && !lost) {
        ReadTables(tables, events);
      } else if (tables > tables_given_) {
        more = !subscriptions_->anything_lost();  // not in one batch with what was lost and is known to be
      }
      if (barrier > barrier_given_ && !subscriptions_->anything_lost()) {
        events.emplace_back(Barrier{barrier});
        barrier_given_ = barrier;
      }
    }
    handed_on_ += events.size();
    if (!events.empty() && !sink_(std::move(events))) return false;
  }
  return true;
}

// Once all that was announced has been read. What is announced while the tables are read may be in them or not; then they
// are read again, some times.
void Watcher::ReadTables(std::uint64_t id, std::vector<KernelEvent>& events) {
  const std::chrono::nanoseconds before = ThreadCpu();
  const std::size_t earlier = events.size();
  const auto dumped = subscriptions_->DumpAll(events);
  TablesRead read{id, !subscriptions_->anything_announced(), ThreadCpu() - before, std::nullopt};
  if (!dumped) {
    read.error = dumped.error();
  } else if (!read.exact && ++tables_tried_ < kExactTries) {
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(earlier), events.end());
    // What was announced meanwhile wakes the thread at once.
    return;
  }
  tables_tried_ = 0;
  tables_given_ = id;
  events.emplace_back(std::move(read));
}

}  // namespace dpuflow::kernel
