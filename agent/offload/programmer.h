// SPDX-License-Identifier: Apache-2.0
//
// A programmer: a thread with a socket that pushes batches of filters into the kernel and reads back what it made.
//
// rtnetlink does its work inside sendmsg(), and the driver's insertion with it, so this must not be the loop's thread.
// A batch is one datagram. Each add asks for its echo (NLM_F_ECHO): the kernel's own description of the filter, which
// must be what was asked for and must be in hardware, or the filter is taken out again and the operation has failed.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "agent/daemon/bounded_queue.h"
#include "agent/flow/events.h"
#include "netlink/flower.h"
#include "netlink/socket.h"

namespace dpuflow::offload {

// An operation in the kernel's terms.
struct Job {
  flow::Operation::Kind kind = flow::Operation::Kind::kAdd;
  flow::FlowId flow = 0;
  netlink::Filter filter;  // kRemove: only its id is used
  flow::Course course{};
};

// Executes the jobs in order, in one batch, on `socket`. One outcome per job.
std::vector<flow::Outcome> Execute(netlink::Socket& socket, const std::vector<Job>& jobs);

class Programmer {
 public:
  using OutcomeSink = std::function<void(std::vector<flow::Outcome>)>;  // on the programmer's thread

  static Result<std::unique_ptr<Programmer>> Start(std::size_t queue, std::size_t batch, OutcomeSink sink);
  ~Programmer();  // jobs that stand in the queue are still done
  Programmer(const Programmer&) = delete;
  Programmer& operator=(const Programmer&) = delete;

  // False, and `job` untouched, when the queue is full.
  [[nodiscard]] bool TrySubmit(Job&& job) { return jobs_.TryPush(std::move(job)); }
  [[nodiscard]] QueueDepth Depth(std::string name) const { return jobs_.Depth(std::move(name)); }

 private:
  Programmer(netlink::Socket socket, std::size_t queue, std::size_t batch, OutcomeSink sink);
  void Run();

  netlink::Socket socket_;
  BoundedQueue<Job> jobs_;
  std::size_t batch_;
  OutcomeSink sink_;
  std::thread thread_;
};

}  // namespace dpuflow::offload
