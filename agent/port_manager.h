// SPDX-License-Identifier: Apache-2.0
//
// The ports of the switch through their lives: found, prepared, taking part, released, gone.
//
//   found --refused by what it is (a bridge, a bond)----------------> refused
//     |                                                                 ^   |
//     +--> preparing --(the backend: qdisc, classifier, trial)--> ready |   | freed, or tried again
//              ^                                    | refused ----------+   |
//              +----------------------------------------------------- ------+
//   ready --taken by somebody else--> releasing --(our things are off it)--> refused
//   ready --its qdisc is deleted----> releasing --(nothing is left on it)--> preparing
//   any   --the netdev is gone------> (forgotten)
//
// A port on which entries of an earlier run stand takes part when no other is being prepared any more: entries lead from port
// to port, and whether one is right is asked when all are there.
//
// Lives on the loop. Drives the backend and the pipeline; the classifier is told which ports take part.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "agent/daemon/config.h"
#include "agent/flow/pipeline.h"
#include "agent/kernel/decision.h"
#include "agent/kernel/reach.h"
#include "agent/kernel/switch_ports.h"
#include "agent/kernel/sysctl.h"
#include "agent/kernel/topology.h"
#include "agent/offload/backend.h"

namespace dpuflow {

struct PortSlot {
  enum class State : std::uint8_t { kPreparing, kReady, kRefused, kReleasing };
  kernel::SwitchPort info;
  State state = State::kPreparing;
  flow::Form form = flow::Form::kChained;  // once prepared
  std::string refusal;                     // when refused: one sentence, and the command that ends it
  std::string hint;
  flow::TimePoint retry_at;  // when refused by the backend: tried again then
  bool offload = true;       // the operator's switch
  bool again = false;        // to be prepared once it has been released
};

// Tells the classifier that a port takes part from now on, or no longer does.
class PortListener {
 public:
  virtual ~PortListener() = default;
  // Sources that no packet may have which routing sees enter at this interface.
  [[nodiscard]] virtual std::vector<IpPrefix> MartiansOf(std::uint32_t l3_ifindex) const = 0;
  [[nodiscard]] virtual const kernel::NeighMirror& Neighbours() const = 0;
  virtual void PortReady(std::uint32_t ifindex) = 0;
  virtual void PortLeft(const PortSlot& slot) = 0;      // its netdev may be gone
  virtual void PortRefused(const PortSlot& slot) = 0;   // to be logged
  virtual void PortSwitched(const PortSlot& slot) = 0;  // its offload, on or off
};

class PortManager {
 public:
  // `sources`: those that may enter, of the ports that have a list. `ingress_mtu`: bytes that can enter at any port; 0: the
  // larger of its own and the uplinks' MTU.
  PortManager(offload::Backend& backend, flow::Pipeline& pipeline, PortListener& listener, SourceLists sources = {},
              std::uint32_t ingress_mtu = 0)
      : backend_(backend),
        pipeline_(pipeline),
        listener_(listener),
        sources_(std::move(sources)),
        ingress_mtu_(ingress_mtu) {}

  // What devlink and rtnetlink say now: the ports, and the interfaces of routing on them. Ports that came are prepared,
  // ports that went are forgotten. Returns whether an interface came, went or changed.
  bool Update(std::map<std::uint32_t, kernel::SwitchPort> found, kernel::Topology topology, flow::TimePoint now);
  void OnPrepared(offload::PortPrepared report, flow::TimePoint now);
  void OnReleased(const offload::PortReleased& report, flow::TimePoint now);
  void OnRouteTried(const offload::RouteTried& report, flow::TimePoint now);
  // devlink has been read again, because something there has changed: the mode of the NIC, maybe.
  void OnDevlink() {
    reach_.TryAgain();
    Changed();
  }
  // The qdisc that filters hang on has been deleted, and everything of ours with it: the port is prepared anew.
  void OnFootingLost(std::uint32_t ifindex);
  // Releases what no longer has operations under way, tries refused ports again, and what one eswitch reaches in another.
  void Advance(flow::TimePoint now);
  // Tells the pipeline of sources that a port checks. Read each second.
  void OnSysctls(const kernel::Sysctls& sysctls, flow::TimePoint now);
  // The machine's addresses have changed, or which port is in which VRF.
  void OnMartians(flow::TimePoint now);
  // Off: the hardware holds nothing of this port and nothing that leads to it, until it is on again. ENODEV: no such port.
  Result<void> SetOffload(std::uint32_t ifindex, bool on, flow::TimePoint now);
  // The same for all ports, those that come later included.
  void SetOffloadOfAll(bool on, flow::TimePoint now);
  // Takes all ports out of service; done() when nothing of ours is left on any.
  void ReleaseAll(flow::TimePoint now);

  [[nodiscard]] bool settled() const;  // no port is being prepared or released, and no trial is under way
  [[nodiscard]] bool done() const { return closing_ && slots_.empty(); }
  [[nodiscard]] const std::map<std::uint32_t, PortSlot>& slots() const { return slots_; }
  [[nodiscard]] const kernel::Topology& topology() const { return topology_; }
  [[nodiscard]] const kernel::Reach& reach() const { return reach_; }
  // Null: the port has no list.
  [[nodiscard]] const std::vector<IpPrefix>* SourcesOf(const PortSlot& slot) const;
  // Of ports and of the interfaces on them, each once.
  [[nodiscard]] std::set<std::string> Names() const;
  [[nodiscard]] const kernel::Sysctls& sysctls() const { return sysctls_; }
  // The ports as decisions see them; valid until a port changes.
  [[nodiscard]] const kernel::DecisionPorts& ForDecisions() const;

 private:
  // A port, or what it reaches: what was made of them is made anew, and they are looked through once more.
  void Changed();
  void Prepare(PortSlot& slot);
  [[nodiscard]] std::uint32_t PeerOf(const PortSlot& slot) const;
  void Leave(std::uint32_t ifindex, PortSlot& slot);
  void TakePart(PortSlot& slot, flow::Form form, flow::TimePoint now);
  void TakeOver(flow::TimePoint now);
  [[nodiscard]] bool IsAwaited(const std::pair<const std::uint32_t, PortSlot>& entry) const;
  void TryReach(flow::TimePoint now);
  void NoteReached(const flow::Rule& standing);
  void TellPipeline(const PortSlot& slot, flow::TimePoint now);
  [[nodiscard]] bool KernelChecksSources(const kernel::LaneView& view) const;
  [[nodiscard]] flow::Lane LaneOf(const PortSlot& slot, const kernel::LaneView& view) const;

  offload::Backend& backend_;
  flow::Pipeline& pipeline_;
  PortListener& listener_;
  std::map<std::uint32_t, PortSlot> slots_;
  kernel::Topology topology_;
  kernel::Reach reach_;
  const SourceLists sources_;
  const std::uint32_t ingress_mtu_;
  std::map<std::uint32_t, offload::PortPrepared> standing_;  // reports of ports with entries of an earlier run
  struct Leaving {
    bool requested = false;      // its release
    flow::TimePoint not_before;  // after a release that left something behind: tried again then
  };
  std::map<std::uint32_t, Leaving> leaving_;  // ports taken out of service
  kernel::Sysctls sysctls_;
  mutable std::optional<kernel::DecisionPorts> decisions_;  // of ForDecisions, until something has Changed
  bool offload_ = true;                                     // of ports that come
  bool closing_ = false;
  bool look_ = false;       // at all ports: something has Changed
  flow::TimePoint looked_;  // at them
};

}  // namespace dpuflow
