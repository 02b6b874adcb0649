// SPDX-License-Identifier: Apache-2.0
//
// The agent: everything that runs on the loop, wired together.
//
//   classifier's ring  --> misses   --+                    +--> questions --> resolver --> answers --+
//   watcher's queue    --> changes  --+--> flow::Pipeline -+                                         |
//   backend's queue    --> outcomes --+          ^         +--> operations --> backend               |
//   timers             --> sweeps   --+          +---------------------------------------------------+
//
// All state belongs to the loop's thread. Other threads (watcher, programmers, keeper) hand values over in queues; the
// refresher of neighbours has nothing to hand over.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/auditor.h"
#include "agent/classifier_feed.h"
#include "agent/daemon/bounded_queue.h"
#include "agent/daemon/config.h"
#include "agent/daemon/event_loop.h"
#include "agent/daemon/metrics.h"
#include "agent/daemon/notifier.h"
#include "agent/explain.h"
#include "agent/flow/pipeline.h"
#include "agent/flow_walks.h"
#include "agent/keep_alive.h"
#include "agent/kernel/bucket_keeper.h"
#include "agent/kernel/resolver.h"
#include "agent/kernel/sysctl.h"
#include "agent/kernel/tables.h"
#include "agent/latencies.h"
#include "agent/offload/tc_backend.h"
#include "agent/port_manager.h"
#include "agent/sweeps.h"
#include "bpf/classifier.h"

namespace dpuflow {

// What Sync waited for.
struct SyncReport {
  bool complete = false;
  std::uint64_t events_read = 0;  // while waiting; likewise the others
  std::uint64_t flows_resolved = 0;
  std::uint64_t operations_acknowledged = 0;
  std::chrono::milliseconds took{};
  // What was open when time ran out.
  std::size_t events_pending = 0;
  std::size_t flows_pending = 0;
  std::size_t operations_pending = 0;
};

class Agent final : private PortListener, private AuditHost {
 public:
  using TimePoint = flow::TimePoint;

  // Loads the classifier, looks for the switch and starts the threads. Errors are one sentence for the user.
  static Result<std::unique_ptr<Agent>> Start(const Config& config, EventLoop& loop);
  ~Agent() override;

  // Called once, when the kernel's tables have been read and every port has been prepared or refused.
  void OnReady(std::function<void()> ready) { ready_callback_ = std::move(ready); }
  // Takes everything of ours out of the kernel, then calls `stopped`; `clean` is false if something may be left.
  void Stop(std::function<void(bool clean)> stopped);

  // Calls `done` when all that happened before this call has reached the hardware, or after `timeout`.
  void Sync(std::chrono::milliseconds timeout, std::function<void(const SyncReport&)> done);
  std::size_t Flush(const std::function<bool(const flow::Flow&)>& selected);
  // Looks at all flows, in some turns of the loop.
  void Walk(FlowWalk walk);
  // Looks at everything in hardware at once, and mends what differs.
  void Verify(Auditor::Done done);
  // At the port of this name, or at all. The ports concerned; nothing: there is none of this name.
  std::optional<std::vector<std::string>> SetOffload(bool on, const std::optional<std::string>& port);

  // What becomes of a packet that enters by one of the ports. Asks the kernel as a miss does, and changes nothing.
  [[nodiscard]] Explanation Explain(const PacketQuestion& question) const;

  // For the API. References stay valid as long as the agent; contents change with every turn of the loop.
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const flow::Pipeline& pipeline() const { return pipeline_; }
  [[nodiscard]] const PortManager& ports() const { return *ports_; }
  [[nodiscard]] const kernel::LinkMirror& links() const { return tables_.links; }
  [[nodiscard]] const std::optional<kernel::Switch>& chosen_switch() const { return switch_; }
  [[nodiscard]] const Classifier& classifier() const { return *classifier_; }
  [[nodiscard]] const Auditor& auditor() const { return *auditor_; }
  [[nodiscard]] const Sweeps& sweeps() const { return sweeps_; }
  [[nodiscard]] const metrics::Registry& metrics() const { return metrics_; }
  [[nodiscard]] std::vector<QueueDepth> Queues() const;
  [[nodiscard]] std::size_t operations_waiting() const { return pipeline_.operations_waiting() + unsent_.size(); }
  [[nodiscard]] std::uint64_t kernel_events() const;
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] TimePoint started() const { return started_; }
  [[nodiscard]] std::optional<TimePoint> last_resync() const { return last_resync_; }
  [[nodiscard]] std::optional<TimePoint> last_sync() const { return last_sync_; }

 private:
  struct PendingSync {
    std::uint64_t barrier = 0;
    std::optional<flow::Epoch> mark;  // once all that had come before has been read: what is to be settled
    TimePoint began;
    TimePoint deadline;
    std::uint64_t events = 0;
    std::uint64_t questions = 0;
    std::uint64_t operations = 0;
    std::function<void(const SyncReport&)> done;
    bool by_user = true;
  };
  struct Counters;

  Agent(const Config& config, EventLoop& loop, Classifier classifier, Notifier wake);
  Result<void> Connect();

  // Each reads what has come, bounded, and leaves the rest for the next turn.
  void ReadKernelEvents(TimePoint now);
  void ReadReports(TimePoint now);
  void ReadMisses(TimePoint now);
  void OnTick(TimePoint now);
  void OnPoll(TimePoint now);
  // Moves everything on as far as it goes now: questions asked, operations issued, ports released, syncs answered.
  void Advance();
  void Schedule() { advance_.Enable(); }

  void Apply(kernel::KernelEvent event, TimePoint now);
  void Apply(const flow::Change& change, TimePoint now);
  void ApplyRemark(const kernel::KernelEvent& event, TimePoint now);
  void Apply(offload::Report report, TimePoint now);
  void UpdatePorts(TimePoint now);
  void ChooseSwitch();
  void TellSources();
  void TellUses(TimePoint now);
  void KeepBuckets();
  void ResolveSome(TimePoint now);
  void IssueOperations();
  void AnswerSyncs(TimePoint now);
  void AddSync(std::chrono::milliseconds timeout, std::function<void(const SyncReport&)> done, bool by_user);
  void CheckReady();
  // Everything that had happened when the sync began has been read.
  [[nodiscard]] bool AllRead(const PendingSync& sync) const;
  void ReadSysctls(TimePoint now);
  void TellClassifierOfLanes();
  void TellClassifierSettings();
  [[nodiscard]] kernel::DecisionContext Context(const kernel::DecisionPorts& ports) const;

  [[nodiscard]] std::vector<IpPrefix> MartiansOf(std::uint32_t l3_ifindex) const override;
  [[nodiscard]] const kernel::NeighMirror& Neighbours() const override { return tables_.neighs; }
  void PortReady(std::uint32_t ifindex) override;
  void PortLeft(const PortSlot& slot) override;
  void PortRefused(const PortSlot& slot) override;
  void PortSwitched(const PortSlot& slot) override;
  [[nodiscard]] std::vector<std::uint32_t> PortsToAudit() const override;
  void ReadTables(std::uint64_t id) override { watcher_->RequestTables(id); }
  [[nodiscard]] std::vector<flow::Answer> Ask(std::span<const flow::Question> questions) override;
  [[nodiscard]] TimePoint Now() const override { return flow::Clock::now(); }
  void WhenInStep(std::function<void(bool in_step)> done) override;
  void AuditGoesOn() override { Schedule(); }

  Config config_;
  EventLoop& loop_;
  TimePoint started_;
  metrics::Registry metrics_;
  std::unique_ptr<Counters> counters_;
  std::unique_ptr<Classifier> classifier_;
  ClassifierFeed classifier_feed_;
  Notifier wake_;
  BoundedQueue<std::vector<kernel::KernelEvent>> kernel_events_;
  BoundedQueue<offload::Report> reports_;

  flow::Pipeline pipeline_;
  Latencies latencies_;
  Sweeps sweeps_;
  FlowWalks walks_;
  kernel::Tables tables_;
  kernel::BucketKeeper bucket_keeper_;
  std::optional<kernel::Switch> switch_;
  std::unique_ptr<offload::Backend> backend_;
  kernel::SysctlReader sysctl_reader_;
  std::unique_ptr<PortManager> ports_;
  std::unique_ptr<Auditor> auditor_;
  std::unique_ptr<kernel::Resolver> resolver_;
  std::unique_ptr<kernel::Watcher> watcher_;
  std::unique_ptr<KeepAlive> keep_alive_;

  std::vector<flow::Operation> unsent_;   // taken from the pipeline; the backend had no room yet
  bool ticking_ = false;                  // the pipeline has not yet looked through all flows in this second
  bool misses_left_ = false;              // the ring held more than one turn reads
  TimePoint misses_read_;                 // all misses from before this have been read
  std::vector<std::string> differences_;  // News::difference, of the present batch of events
  bool ports_changed_ = false;
  bool martians_changed_ = false;  // while events are being read; likewise the next three
  bool rules_changed_ = false;
  bool forward_path_changed_ = false;
  bool everything_changed_ = false;
  bool ready_ = false;
  std::uint64_t barrier_seen_ = 0;
  std::uint64_t barrier_asked_ = 0;
  std::vector<PendingSync> syncs_;
  std::optional<TimePoint> last_resync_;
  std::optional<TimePoint> last_sync_;
  std::function<void()> ready_callback_;
  std::function<void(bool clean)> stopped_callback_;
  bool left_something_ = false;  // a port could not be released

  EventSource wake_source_;
  EventSource ring_source_;
  EventSource tick_;
  EventSource poll_;
  EventSource advance_;
};

}  // namespace dpuflow
