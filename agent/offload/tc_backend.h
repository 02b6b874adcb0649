// SPDX-License-Identifier: Apache-2.0
//
// The backend that speaks tc: programmers for entries, one keeper for everything about ports.
//
//   loop --Submit--> [shard 0] programmer 0 --+
//        --Submit--> [shard n] programmer n --+--> sink
//        --Prepare, Release, Sweep, Audit--> keeper
//
// A flow belongs to one shard, so its operations keep their order. The methods of Backend are the loop's.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <variant>
#include <vector>

#include "agent/daemon/bounded_queue.h"
#include "agent/offload/backend.h"
#include "agent/offload/port_keeper.h"
#include "agent/offload/programmer.h"

namespace dpuflow::offload {

struct TcBackendOptions {
  std::size_t programmers = 2;
  std::size_t queue = 1024;  // operations waiting in each programmer
  std::size_t batch = 64;    // operations in one datagram at most
  int program = -1;          // the classifier's descriptor, borrowed
};

class TcBackend final : public Backend {
 public:
  static Result<std::unique_ptr<TcBackend>> Start(const TcBackendOptions& options, ReportSink sink);
  ~TcBackend() override;  // what was submitted and requested is still done

  void Submit(std::vector<flow::Operation>& operations) override;
  void Prepare(std::uint32_t port, const std::string& name, std::uint32_t peer) override;
  void TryRoute(std::uint32_t port, std::uint32_t peer) override;
  void Release(std::uint32_t port) override;
  void Sweep(std::uint32_t port, flow::PacketKinds kinds) override;
  void Audit(std::uint64_t token, std::uint32_t port, std::vector<Expected> expected) override;
  void RemoveStray(const netlink::FilterId& stray) override;
  [[nodiscard]] std::vector<QueueDepth> Queues() const override;

 private:
  struct PrepareRequest {
    std::uint32_t port = 0;
    std::string name;
    std::uint32_t peer = 0;
  };
  struct TryRequest {
    std::uint32_t port;
    std::uint32_t peer;
  };
  struct ReleaseRequest {
    std::uint32_t port = 0;
  };
  struct SweepRequest {
    std::uint32_t port = 0;
    flow::PacketKinds kinds;
  };
  struct AuditRequest {
    std::uint64_t token = 0;
    std::uint32_t port = 0;
    std::vector<Expected> expected;
  };
  struct StrayRequest {
    netlink::FilterId id;
  };
  using Request = std::variant<PrepareRequest, TryRequest, ReleaseRequest, SweepRequest, AuditRequest, StrayRequest>;

  TcBackend(PortKeeper keeper, ReportSink sink);
  void RunKeeper();
  void Handle(const PrepareRequest& request);
  void Handle(const TryRequest& request);
  void Handle(const ReleaseRequest& request);
  void Handle(const SweepRequest& request);
  void Handle(AuditRequest& request);
  void Handle(const StrayRequest& request);
  [[nodiscard]] flow::Form FormOf(std::uint32_t port) const;

  ReportSink sink_;
  PortKeeper keeper_;  // the keeper thread's
  mutable std::mutex mutex_;
  // Guarded by mutex_: written by the keeper, read by the loop.
  std::map<std::uint32_t, flow::Form> forms_;  // of prepared ports
  std::set<std::uint32_t> sweeping_;
  BoundedQueue<Request> requests_;
  std::vector<std::unique_ptr<Programmer>> programmers_;
  std::thread keeper_thread_;
};

}  // namespace dpuflow::offload
