// SPDX-License-Identifier: Apache-2.0
//
// The one seam to hardware.
//
// The loop submits operations and requests; a backend does them elsewhere and gives reports to the sink with which it
// was made. Nothing here blocks: what takes rtnl, or waits for a driver, happens on the backend's threads.
//
// Operations of one flow are done in the order of their submission (the pipeline has at most one of a flow under way).
// Requests about a port (Prepare, TryRoute, Release, Sweep, Audit) are done one after another, in order. Between the two there is no
// order: whoever releases a port first waits for the outcomes of its operations.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/daemon/bounded_queue.h"
#include "agent/flow/events.h"
#include "agent/flow/sweep.h"
#include "agent/offload/comparison.h"

namespace dpuflow::offload {

using Outcomes = std::vector<flow::Outcome>;

// An operation failed because the qdisc that the port's filters hang on is not there any more ("Parent Qdisc doesn't exists"):
// the port is to be released, and prepared again.
[[nodiscard]] bool FootingIsGone(const Error& error);
// The NIC cannot do what was tried, and will not be able to later. Any other error may pass.
[[nodiscard]] bool IsVerdict(const Error& error);

// A port is ready for operations in this form, or is left alone for `refusal`, which `hint`, a command, ends.
struct PortPrepared {
  std::uint32_t port = 0;
  std::string refusal;  // one sentence; empty: ready
  std::string hint;
  flow::Form form = flow::Form::kChained;
  std::vector<Expected> standing{};  // entries of an earlier run, which go on
};

// Whether the driver took an entry of `port` that sends to `peer`.
struct RouteTried {
  std::uint32_t port = 0;
  std::uint32_t peer = 0;
  Result<void> taken;
};

// Nothing of ours is left on the port; unless `clean` is false: then a BackendTrouble before this says what failed.
struct PortReleased {
  std::uint32_t port = 0;
  bool clean = true;
};

// All our entries of one port with their counters.
struct Swept {
  flow::Sweep sweep;
  std::chrono::nanoseconds cpu{};  // that the backend spent on it
  std::chrono::nanoseconds took{};
};

// How the entries of one port differ from what was expected.
struct Audited {
  std::uint64_t token = 0;  // as given to Audit
  std::uint32_t port = 0;
  std::size_t entries = 0;  // compared
  std::vector<Difference> differences;
  std::chrono::nanoseconds cpu{};  // that the backend spent on it
  std::optional<Error> error;      // the port could not be read; the other members say nothing then
};

// A sweep or a release that failed, to be logged; a sweep is tried again at the next period.
struct BackendTrouble {
  std::uint32_t port = 0;
  Error error;
};

using Report = std::variant<Outcomes, PortPrepared, RouteTried, PortReleased, Swept, Audited, BackendTrouble>;
using ReportSink = std::function<void(Report)>;  // called on the backend's threads; may block

class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  // Takes operations out of `operations`, as many as there is room for; the others stay there, in order.
  virtual void Submit(std::vector<flow::Operation>& operations) = 0;

  // Makes `port` ready: a place for filters, entries of an earlier run looked at, else entries of each kind tried, which says
  // in what form they stand there, the classifier attached. `peer` is another port of the switch, to which a trial routes;
  // 0: none is known, and routing is not tried.
  virtual void Prepare(std::uint32_t port, const std::string& name, std::uint32_t peer) = 0;
  // Tries an entry that matches nothing, with a redirect to `peer`, and takes it out again.
  virtual void TryRoute(std::uint32_t port, std::uint32_t peer) = 0;
  // Takes everything of ours off the port, and nothing else.
  virtual void Release(std::uint32_t port) = 0;
  // Reads the counters of all our entries on the port that are for packets of these kinds; each is a dump of its own. Dropped
  // while an earlier sweep of the port is still under way.
  virtual void Sweep(std::uint32_t port, flow::PacketKinds kinds) = 0;
  // Reads everything of ours on the port, in full, and compares it with `expected`. A missing classifier is put back.
  virtual void Audit(std::uint64_t token, std::uint32_t port, std::vector<Expected> expected) = 0;
  // Takes out a filter of ours that belongs to no flow. Nothing is reported; the next audit sees whether it is gone.
  virtual void RemoveStray(const netlink::FilterId& stray) = 0;
  // What has been submitted and is still to be done.
  [[nodiscard]] virtual std::vector<QueueDepth> Queues() const { return {}; }
};

}  // namespace dpuflow::offload
