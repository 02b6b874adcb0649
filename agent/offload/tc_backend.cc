// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/tc_backend.h"

#include <cerrno>
#include <chrono>
#include <utility>

#include "agent/daemon/thread_cpu.h"
#include "agent/offload/flower_mapping.h"

namespace dpuflow::offload {
namespace {

constexpr int kReleaseAttempts = 3;          // a lost answer (ENOBUFS) or a busy driver may be gone the next time
constexpr std::size_t kMaxRequests = 65536;  // far above four requests for each of a NIC's ports

}  // namespace

bool FootingIsGone(const Error& error) {
  return error.code == EINVAL && error.extack.find("Qdisc") != std::string::npos;
}

bool IsVerdict(const Error& error) {
  return error.code == EOPNOTSUPP || (error.code == EINVAL && !FootingIsGone(error));
}

TcBackend::TcBackend(PortKeeper keeper, ReportSink sink)
    : sink_(std::move(sink)), keeper_(std::move(keeper)), requests_(kMaxRequests) {}

Result<std::unique_ptr<TcBackend>> TcBackend::Start(const TcBackendOptions& options, ReportSink sink) {
  auto keeper = PortKeeper::Open(options.program);
  if (!keeper) return tl::make_unexpected(keeper.error());
  std::unique_ptr<TcBackend> backend(new TcBackend(std::move(*keeper), std::move(sink)));
  for (std::size_t i = 0; i < options.programmers; ++i) {
    auto programmer = Programmer::Start(options.queue, options.batch,
                                        [raw = backend.get()](Outcomes outcomes) { raw->sink_(std::move(outcomes)); });
    if (!programmer) return tl::make_unexpected(programmer.error());
    backend->programmers_.push_back(std::move(*programmer));
  }
  backend->keeper_thread_ = std::thread([raw = backend.get()] { raw->RunKeeper(); });
  return backend;
}

TcBackend::~TcBackend() {
  programmers_.clear();
  requests_.Close();
  if (keeper_thread_.joinable()) keeper_thread_.join();
}

// ---- the loop's side ------------------------------------------------------------------------------------------------

flow::Form TcBackend::FormOf(std::uint32_t port) const {
  const std::lock_guard lock(mutex_);
  const auto found = forms_.find(port);
  return found == forms_.end() ? flow::Form::kChained : found->second;
}

void TcBackend::Submit(std::vector<flow::Operation>& operations) {
  // A shard that is full, because its driver call hangs, say, must not stop the others; within a shard order is kept.
  std::vector<bool> full(programmers_.size(), false);
  std::vector<flow::Operation> left;
  for (flow::Operation& operation : operations) {
    const std::size_t shard = operation.flow % programmers_.size();
    if (!full[shard]) {
      Job job{operation.kind, operation.flow, ToFilter(operation.rule, operation.flow, operation.section),
              operation.course};
      full[shard] = !programmers_[shard]->TrySubmit(std::move(job));
    }
    if (full[shard]) left.push_back(std::move(operation));
  }
  operations = std::move(left);
}

void TcBackend::Prepare(std::uint32_t port, const std::string& name, std::uint32_t peer) {
  (void)requests_.Push(PrepareRequest{port, name, peer});
}

void TcBackend::TryRoute(std::uint32_t port, std::uint32_t peer) { (void)requests_.Push(TryRequest{port, peer}); }

void TcBackend::Release(std::uint32_t port) { (void)requests_.Push(ReleaseRequest{port}); }

void TcBackend::Sweep(std::uint32_t port, flow::PacketKinds kinds) {
  {
    const std::lock_guard lock(mutex_);
    if (!forms_.contains(port) || !sweeping_.insert(port).second) return;
  }
  (void)requests_.Push(SweepRequest{port, kinds});
}

void TcBackend::Audit(std::uint64_t token, std::uint32_t port, std::vector<Expected> expected) {
  (void)requests_.Push(AuditRequest{token, port, std::move(expected)});
}

void TcBackend::RemoveStray(const netlink::FilterId& stray) { (void)requests_.Push(StrayRequest{stray}); }

std::vector<QueueDepth> TcBackend::Queues() const {
  std::vector<QueueDepth> queues;
  for (std::size_t i = 0; i < programmers_.size(); ++i) {
    queues.push_back(programmers_[i]->Depth(fmt::format("programmer-{}", i)));
  }
  queues.push_back(requests_.Depth("ports"));
  return queues;
}

// ---- the keeper's thread --------------------------------------------------------------------------------------------

void TcBackend::RunKeeper() {
  while (true) {
    std::vector<Request> requests = requests_.PopBatch(1, std::chrono::hours(1));
    for (Request& request : requests) {
      std::visit([this](auto& each) { Handle(each); }, request);
    }
    if (requests.empty() && requests_.closed()) return;
  }
}

void TcBackend::Handle(const PrepareRequest& request) {
  auto prepared = keeper_.Prepare(request.port, request.name, request.peer);
  if (!prepared) {
    sink_(PortPrepared{request.port, prepared.error().sentence, prepared.error().hint});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    forms_.insert_or_assign(request.port, prepared->form);
  }
  sink_(PortPrepared{request.port, {}, {}, prepared->form, std::move(prepared->standing)});
}

void TcBackend::Handle(const TryRequest& request) {
  sink_(RouteTried{request.port, request.peer, keeper_.TryRoute(request.port, FormOf(request.port), request.peer)});
}

void TcBackend::Handle(const ReleaseRequest& request) {
  Result<void> released;
  for (int attempt = 0; attempt < kReleaseAttempts; ++attempt) {
    released = keeper_.Release(request.port);
    if (released) break;
  }
  if (!released) sink_(BackendTrouble{request.port, released.error()});
  {
    const std::lock_guard lock(mutex_);
    forms_.erase(request.port);
  }
  sink_(PortReleased{request.port, released.has_value()});
}

void TcBackend::Handle(const SweepRequest& request) {
  const auto cpu = ThreadCpu();
  auto sweep = keeper_.ReadCounters(request.port, request.kinds);
  {
    const std::lock_guard lock(mutex_);
    sweeping_.erase(request.port);
  }
  if (sweep) {
    const flow::Duration took = flow::Clock::now() - sweep->began;
    sink_(Swept{std::move(*sweep), ThreadCpu() - cpu, took});
  } else {
    sink_(BackendTrouble{request.port, sweep.error()});
  }
}

void TcBackend::Handle(AuditRequest& request) {
  const auto cpu = ThreadCpu();
  Audited report;
  report.token = request.token;
  report.port = request.port;
  report.entries = request.expected.size();
  auto differences = keeper_.Audit(request.port, FormOf(request.port), std::move(request.expected));
  if (differences) {
    report.differences = std::move(*differences);
  } else {
    report.error = differences.error();
  }
  report.cpu = ThreadCpu() - cpu;
  sink_(std::move(report));
}

void TcBackend::Handle(const StrayRequest& request) {
  if (auto removed = keeper_.RemoveStray(request.id); !removed)
    sink_(BackendTrouble{request.id.ifindex, removed.error()});
}

}  // namespace dpuflow::offload
