// SPDX-License-Identifier: Apache-2.0
//
// The watcher reads what the kernel announces and, when announcements are lost, reads the tables themselves.
//
// It has a thread of its own, because dumps take rtnl, which a driver may hold for seconds. That thread gives values
// to a sink, in batches and in the order in which the kernel announced them. It keeps no table.
//
//   start:      subscribe, then dump everything           -> snapshots
//   running:    notifications                             -> events
//   overflow:   ENOBUFS on a subscription                 -> snapshots of its tables; for routes, which are not
//                                                            mirrored, EverythingChanged
//   audit:      RequestTables                             -> snapshots of all tables, as they should already be known
//
// The kernel announces some changes before it makes them: fib_table_delete() sends RTM_DELROUTE and then takes the route
// out, a link's RTM_NEWLINK comes before its routes are flushed, an RTM_DELADDR and an RTM_DELNEXTHOP likewise. Who asks
// for a route on such an event may get the old answer, and no later event corrects it. All of these happen in one go
// under rtnl, so the watcher takes rtnl once (any request that needs it will do) between reading events and handing them
// on: then what they announce has happened.
//
// What comes first after a quiet time is handed on at once. After that, while little comes at a time, the watcher lets some
// more come before it reads again: a turn costs as much as a dozen events, and so does the loop's.
//
// Several subscriptions, so that a flood of one kind cannot cost another: links, addresses and rules; routes and
// nexthops; neighbours and stations of bridges; devlink. Of VLANs of bridges, nf_tables and XFRM a notification only says
// that the table is to be read again. What announces nothing is read each second, and before a barrier.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "agent/daemon/notifier.h"
#include "agent/flow/events.h"
#include "agent/kernel/forward_path.h"
#include "agent/kernel/switch_ports.h"
#include "netlink/bridge.h"
#include "netlink/devlink.h"
#include "netlink/socket.h"

namespace dpuflow::kernel {

// Whole tables, as read at the start and after an overflow.
struct DevlinkState {
  std::vector<Eswitch> eswitches;
  std::vector<netlink::DevlinkPort> ports;
};
// Asks devlink, on the calling thread. An instance without an eswitch is left out.
Result<DevlinkState> ReadDevlink();

using Links = std::vector<netlink::Link>;
using Addresses = std::vector<netlink::Address>;
using Neighs = std::vector<netlink::Neigh>;
using BridgePorts = std::vector<netlink::BridgePort>;
using VlanHalts = std::vector<netlink::VlanHalt>;
using FdbEntries = std::vector<netlink::FdbEntry>;
using Nexthops = std::vector<netlink::NexthopObject>;
using Rules = std::vector<netlink::Rule>;
using SpecialRoutes = std::vector<netlink::Route>;  // those that are IsSpecial()
using BaseChains = std::vector<netlink::BaseChain>;
using XfrmPolicies = std::vector<netlink::XfrmPolicy>;

// Everything that the kernel had announced when the barrier was requested has been given to the sink before this.
struct Barrier {
  std::uint64_t id = 0;
};

// Notifications were lost, or a dump failed; what follows makes up for it.
struct Overflow {
  std::string what;  // "routes", "links", "neighbours", "devlink"
};
struct Trouble {
  Error error;
};

// All tables have been read once more because of RequestTables; their snapshots came just before, in the same batch.
struct TablesRead {
  std::uint64_t id = 0;
  // Nothing was announced meanwhile: they hold nothing that earlier events should not have told.
  bool exact = false;
  std::chrono::nanoseconds cpu{};  // of the watcher's thread
  std::optional<Error> error;      // why some could not be read
};

using KernelEvent =
    std::variant<flow::Change, netlink::Event<netlink::Link>, netlink::Event<netlink::Address>,
                 netlink::Event<netlink::Neigh>, netlink::Event<netlink::NexthopObject>, netlink::Event<netlink::Rule>,
                 netlink::Event<netlink::Route>, netlink::Event<netlink::BridgePort>, netlink::Event<netlink::FdbEntry>,
                 Links, Addresses, Neighs, BridgePorts, VlanHalts, FdbEntries, Nexthops, Rules, SpecialRoutes,
                 BaseChains, XfrmPolicies, QuietTables, DevlinkState, Barrier, TablesRead, Overflow, Trouble>;

// Takes a batch, on the watcher's thread; may block (then the kernel's queues fill, and a dump follows). False: stop.
using Sink = std::function<bool(std::vector<KernelEvent>)>;

class Watcher {
 public:
  // Opens the subscriptions and starts the thread; the first batches are the snapshots. Errors: those of the sockets.
  static Result<std::unique_ptr<Watcher>> Start(Sink sink);
  ~Watcher();  // ends the thread and waits for it
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Any thread. A Barrier with this id, or a later one, reaches the sink when everything announced so far has. Ids
  // rise.
  void RequestBarrier(std::uint64_t id);

  // Any thread. All tables are read once more, and a TablesRead with this id, or a later one, reaches the sink. Ids rise.
  void RequestTables(std::uint64_t id);

 private:
  struct Subscriptions;
  Watcher(std::unique_ptr<Subscriptions> subscriptions, Sink sink, Notifier wake);
  void Run();
  void Wait();
  bool Turn();
  void ReadTables(std::uint64_t id, std::vector<KernelEvent>& events);

  std::unique_ptr<Subscriptions> subscriptions_;
  Sink sink_;
  Notifier wake_;  // something was requested, or the end has come
  std::atomic<std::uint64_t> barrier_requested_{0};
  std::uint64_t barrier_given_ = 0;  // the thread's
  std::atomic<std::uint64_t> tables_requested_{0};
  std::uint64_t tables_given_ = 0;  // the thread's; likewise
  int tables_tried_ = 0;            // readings that something was announced in
  std::size_t handed_on_ = 0;       // events of the last turn; the thread's
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace dpuflow::kernel
