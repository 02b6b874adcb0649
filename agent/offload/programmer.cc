// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/programmer.h"

#include <linux/netlink.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include "agent/offload/backend.h"
#include "netlink/tc.h"

namespace dpuflow::offload {
namespace {

using flow::Operation;
using netlink::MessageBuffer;

Result<void> Append(MessageBuffer& buffer, std::uint32_t seq, const Job& job) {
  switch (job.kind) {
    case Operation::Kind::kAdd:
      return netlink::AppendFilterAdd(buffer, seq, job.filter, NLM_F_ECHO);
    case Operation::Kind::kReplace:
      return netlink::AppendFilterReplace(buffer, seq, job.filter, NLM_F_ECHO);
    case Operation::Kind::kRemove:
      break;
  }
  return netlink::AppendFilterDelete(buffer, seq, job.filter.id);
}

std::string Describe(const Job& job) {
  const char* verb = job.kind == Operation::Kind::kAdd       ? "add"
                     : job.kind == Operation::Kind::kReplace ? "replace"
                                                             : "delete";
  const netlink::FilterId& id = job.filter.id;
  return fmt::format("{} the filter at ifindex {} chain {} prio {} handle 0x{:x}", verb, id.ifindex, id.chain, id.prio,
                     id.handle);
}

// To be removed, and not there: with its chain, its qdisc or its port.
bool IsGone(const Error& error) { return error.code == ENOENT || error.code == ENODEV || FootingIsGone(error); }

// What the kernel says it installed against what was asked for.
std::optional<Error> Compare(const Job& job, const nlmsghdr& message) {
  const auto installed = netlink::ParseFilter(message);
  if (!installed) return installed.error();
  const auto flaw = FlawOf(job.filter, *installed);
  if (flaw == Flaw::kNotInHardware) {
    return Error{EOPNOTSUPP, Describe(job), "the filter was taken, but is not in hardware"};
  }
  if (!flaw && installed->filter.id == job.filter.id) return std::nullopt;
  return Error{EPROTO, Describe(job),
               fmt::format("read back, the filter is not what was asked for: {}", flaw ? ToString(*flaw) : "place")};
}

// A filter that is not what it should be must not stay.
void TakeOut(netlink::Socket& socket, const Job& job) {
  MessageBuffer buffer;
  if (netlink::AppendFilterDelete(buffer, socket.NextSeq(), job.filter.id)) {
    (void)socket.Transact(buffer, "delete a filter that failed its read-back");  // ENOENT is as good
  }
}

std::optional<Error> ReadBack(netlink::Socket& socket, const Job& job) {
  MessageBuffer buffer;
  if (auto appended = netlink::AppendFilterGet(buffer, socket.NextSeq(), job.filter.id); !appended) {
    return appended.error();
  }
  const auto answer = socket.Ask(buffer, Describe(job));
  const bool removal = job.kind == Operation::Kind::kRemove;
  if (!answer) {
    if (removal && answer.error().code == ENOENT) return std::nullopt;
    return answer.error();
  }
  if (removal) return Error{EBUSY, Describe(job), "the filter is still there"};
  return Compare(job, answer->header());
}

std::optional<Error> Judge(netlink::Socket& socket, const Job& job, const netlink::BatchResult& result) {
  if (result.outcome == netlink::Outcome::kFailed) {
    if (job.kind == Operation::Kind::kRemove && IsGone(result.error)) return std::nullopt;
    Error error = result.error;
    error.doing = Describe(job);
    return error;
  }
  std::optional<Error> fault;
  if (result.outcome == netlink::Outcome::kUnknown) {
    fault = ReadBack(socket, job);
  } else if (job.kind != Operation::Kind::kRemove) {
    fault = result.echo.empty() ? ReadBack(socket, job) : Compare(job, result.echo.header());
  }
  if (fault && job.kind != Operation::Kind::kRemove) TakeOut(socket, job);
  return fault;
}

}  // namespace

std::vector<flow::Outcome> Execute(netlink::Socket& socket, const std::vector<Job>& jobs) {
  const flow::TimePoint begun = flow::Clock::now();
  std::vector<flow::Outcome> outcomes;
  outcomes.reserve(jobs.size());
  MessageBuffer buffer;
  std::vector<std::size_t> sent;  // index of the job behind each message
  for (const Job& job : jobs) {
    auto appended = Append(buffer, socket.NextSeq(), job);
    outcomes.push_back({job.kind, job.flow, std::nullopt, job.course});
    outcomes.back().course.begun = begun;
    if (appended) {
      sent.push_back(outcomes.size() - 1);
    } else {
      outcomes.back().error = appended.error();
    }
  }
  const auto results = socket.TransactBatch(buffer, "program filters");
  for (std::size_t i = 0; i < sent.size(); ++i) outcomes[sent[i]].error = Judge(socket, jobs[sent[i]], results[i]);
  const flow::TimePoint granted = flow::Clock::now();
  for (flow::Outcome& outcome : outcomes) outcome.course.granted = granted;
  return outcomes;
}

Programmer::Programmer(netlink::Socket socket, std::size_t queue, std::size_t batch, OutcomeSink sink)
    : socket_(std::move(socket)), jobs_(queue), batch_(batch), sink_(std::move(sink)) {
  thread_ = std::thread([this] { Run(); });
}

Programmer::~Programmer() {
  jobs_.Close();
  thread_.join();
}

Result<std::unique_ptr<Programmer>> Programmer::Start(std::size_t queue, std::size_t batch, OutcomeSink sink) {
  netlink::SocketOptions options;
  options.receive_buffer = 4 << 20;  // bytes: an echo of a routing filter takes about 1 KiB of it
  options.send_buffer = 1 << 20;
  auto socket = netlink::Socket::Open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  return std::unique_ptr<Programmer>(new Programmer(std::move(*socket), queue, batch, std::move(sink)));
}

void Programmer::Run() {
  while (true) {
    const std::vector<Job> jobs = jobs_.PopBatch(batch_, std::chrono::hours(1));
    if (!jobs.empty()) {
      sink_(Execute(socket_, jobs));
    } else if (jobs_.closed()) {
      return;
    }
  }
}

}  // namespace dpuflow::offload
