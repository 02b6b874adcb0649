// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/tc_backend.h"

#include <chrono>
#include <optional>
#include <utility>

#include "agent/offload/flower_mapping.h"

namespace dpuflow::offload {
namespace {

constexpr int kReleaseAttempts = 3;          // a lost answer (ENOBUFS) or a busy driver may be gone the next time
constexpr std::size_t kMaxRequests = 65536;  // far above three requests for each of a NIC's ports

}  // namespace

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

std::optional<Footing> TcBackend::FootingOf(std::uint32_t port) const {
  const std::lock_guard lock(mutex_);
  const auto found = footings_.find(port);
  return found == footings_.end() ? std::nullopt : std::optional(found->second);
}

void TcBackend::Submit(std::vector<flow::Operation>& operations) {
  // A shard that is full, because its driver call hangs, say, must not stop the others; within a shard order is kept.
  std::vector<bool> full(programmers_.size(), false);
  std::vector<flow::Operation> left;
  for (flow::Operation& operation : operations) {
    const std::size_t shard = operation.flow % programmers_.size();
    if (!full[shard]) {
      Job job{operation.kind, operation.flow, ToFilter(operation.rule, operation.flow, operation.section),
              operation.issued};
      full[shard] = !programmers_[shard]->TrySubmit(std::move(job));
    }
    if (full[shard]) left.push_back(std::move(operation));
  }
  operations = std::move(left);
}

void TcBackend::Prepare(std::uint32_t port, const std::string& name, std::uint32_t peer) {
  (void)requests_.Push({Request::Kind::kPrepare, port, name, peer});
}

void TcBackend::Release(std::uint32_t port) { (void)requests_.Push({Request::Kind::kRelease, port, {}, 0}); }

void TcBackend::Sweep(std::uint32_t port) {
  {
    const std::lock_guard lock(mutex_);
    if (!footings_.contains(port) || !sweeping_.insert(port).second) return;
  }
  (void)requests_.Push({Request::Kind::kSweep, port, {}, 0});
}

// ---- the keeper's thread --------------------------------------------------------------------------------------------

void TcBackend::RunKeeper() {
  while (true) {
    const std::vector<Request> requests = requests_.PopBatch(1, std::chrono::hours(1));
    for (const Request& request : requests) Handle(request);
    if (requests.empty() && requests_.closed()) return;
  }
}

void TcBackend::Handle(const Request& request) {
  switch (request.kind) {
    case Request::Kind::kPrepare:
      return HandlePrepare(request);
    case Request::Kind::kRelease:
      return HandleRelease(request);
    case Request::Kind::kSweep:
      return HandleSweep(request);
  }
}

void TcBackend::HandlePrepare(const Request& request) {
  auto footing = keeper_.Prepare(request.port, request.name, request.peer);
  if (!footing) {
    sink_(PortPrepared{request.port, footing.error().sentence, footing.error().hint});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    footings_.insert_or_assign(request.port, *footing);
  }
  sink_(PortPrepared{request.port, {}, {}});
}

void TcBackend::HandleRelease(const Request& request) {
  // A port without a footing may still hold what an earlier run left there.
  const Footing footing = FootingOf(request.port).value_or(Footing{});
  Result<void> released;
  for (int attempt = 0; attempt < kReleaseAttempts; ++attempt) {
    released = keeper_.Release(request.port, footing);
    if (released) break;
  }
  if (!released) sink_(BackendTrouble{request.port, released.error()});
  {
    const std::lock_guard lock(mutex_);
    footings_.erase(request.port);
  }
  sink_(PortReleased{request.port, released.has_value()});
}

void TcBackend::HandleSweep(const Request& request) {
  const flow::TimePoint began = flow::Clock::now();
  auto samples = keeper_.ReadCounters(request.port);
  {
    const std::lock_guard lock(mutex_);
    sweeping_.erase(request.port);
  }
  if (samples) {
    sink_(Swept{request.port, began, std::move(*samples)});
  } else {
    sink_(BackendTrouble{request.port, samples.error()});
  }
}

}  // namespace dpuflow::offload
