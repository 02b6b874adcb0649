// SPDX-License-Identifier: Apache-2.0
#include "agent/auditor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "agent/daemon/log.h"
#include "agent/daemon/thread_cpu.h"
#include "agent/offload/flower_mapping.h"

namespace dpuflow {
namespace {

using offload::Flaw;
using std::chrono::nanoseconds;

constexpr std::size_t kFlowsPerStep = 256;      // that the kernel is asked about
constexpr std::size_t kExpectedPerStep = 2048;  // entries put together for the backend
constexpr int kStepsPerTick = 64;
constexpr std::size_t kDifferencesTold = 1000;  // in one report; all are counted

std::string InWords(const flow::Answer& answer, const flow::Flow& flow) {
  if (answer.source == flow::SourceVerdict::kInvalid) return "nothing: the source is not valid";
  if (answer.verdict != flow::Answer::Verdict::kForward) return fmt::format("nothing: {}", answer.reason.text);
  return offload::InWords(offload::ToFilter({flow.match(), flow::Pipeline::ActionOf(answer)}, flow.id, flow.section));
}

std::string InWords(const std::optional<netlink::InstalledFilter>& found) {
  if (!found) return {};
  return offload::InWords(found->filter) + (found->in_hw ? "" : " (not in hardware)");
}

std::string Hexadecimal(const netlink::Cookie& cookie) { return fmt::format("{:02x}", fmt::join(cookie, "")); }

// A filter whose mask or flags differ cannot be replaced in place.
bool CannotBeReplaced(Flaw flaw) {
  return flaw == Flaw::kMatch || flaw == Flaw::kUnknown || flaw == Flaw::kInSoftware || flaw == Flaw::kNotInHardware;
}

}  // namespace

Auditor::Auditor(const AuditSettings& settings, flow::Pipeline& pipeline, offload::Backend& backend, AuditHost& host,
                 metrics::Registry& registry)
    : settings_(settings),
      pipeline_(pipeline),
      backend_(backend),
      host_(host),
      registry_(registry),
      rounds_(registry.AddCounter("dpuflow_audit_rounds_total", "Complete rounds of the audit.")),
      cpu_(registry.AddCounter("dpuflow_audit_cpu_microseconds_total",
                               "Processor time that rounds of the audit took.")) {}

// ---- rounds and verifications ---------------------------------------------------------------------------------------

Auditor::Token Auditor::Begin(bool everything, TimePoint now, Done done) {
  Run run;
  run.everything = everything;
  run.began = now;
  run.done = std::move(done);
  for (const std::uint32_t port : host_.PortsToAudit()) {
    run.ports.push_back(port);
    const std::vector<flow::FlowId> flows = pipeline_.flows().OnPort(port);
    run.flows.insert(run.flows.end(), flows.begin(), flows.end());
  }
  runs_.emplace(++last_token_, std::move(run));
  return last_token_;
}

void Auditor::Verify(Done done) {
  Begin(true, host_.Now(), std::move(done));
  host_.AuditGoesOn();
}

std::size_t Auditor::StepsLeft(const Run& run) const {
  return (run.tables == Run::Tables::kKnown ? 0 : 1) + run.ports.size() +
         (run.flows.size() + kFlowsPerStep - 1) / kFlowsPerStep +
         (run.flows.size() + kExpectedPerStep - 1) / kExpectedPerStep;
}

void Auditor::OnTick(TimePoint now) {
  WriteLostAgain();
  if (settings_.period.count() == 0) return;
  const auto due = [&] { return now >= next_step_ && now >= paid_at_; };
  if (!round_ && due()) {
    round_ = Begin(false, now, nullptr);
    next_step_ = now;
    pause_ = nanoseconds(settings_.period) / std::max<std::size_t>(1, StepsLeft(runs_.at(*round_)));
  }
  for (int step = 0; step < kStepsPerTick && round_ && due(); ++step) {
    Step(*round_, now);
    next_step_ += pause_;
    FinishIfDone(*round_, now);
  }
  if (round_ && GoesOn(*round_)) host_.AuditGoesOn();
}

// What a round has cost is paid for by waiting: it is its share of that time.
void Auditor::Charge(nanoseconds cpu, TimePoint now) {
  cpu_.Add(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(cpu).count()));
  paid_at_ = std::max(paid_at_, now) + cpu * 100 / settings_.cpu_percent;
}

// A round has its own pace, but for one thing: what a port should hold is put together at once, turn by turn. It takes more memory
// than the flows themselves, and would do so for most of the time.
void Auditor::Advance(TimePoint now) {
  std::vector<Token> tokens;
  for (const auto& [token, run] : runs_) {
    if (token != round_ || run.expectation) tokens.push_back(token);
  }
  for (const Token token : tokens) {
    Step(token, now);
    FinishIfDone(token, now);
    if (GoesOn(token)) host_.AuditGoesOn();
  }
}

bool Auditor::GoesOn(Token token) const {
  const auto found = runs_.find(token);
  if (found == runs_.end()) return false;
  const Run& run = found->second;
  if (run.expectation) return true;
  return token != round_ && run.tables == Run::Tables::kKnown && !run.waiting && (!run.flows.empty() || !run.reading);
}

void Auditor::Step(Token token, TimePoint now) {
  const nanoseconds before = ThreadCpu();
  Run& run = runs_.at(token);
  if (run.tables != Run::Tables::kKnown) {
    if (run.tables == Run::Tables::kToBeRead) host_.ReadTables(token);
    run.tables = Run::Tables::kAsked;
  } else if (run.expectation) {
    Expect(token, run);
  } else if (!run.ports.empty() && !run.reading) {
    BeginReadBack(run);
  } else if (!run.flows.empty()) {
    AskSome(run);
  } else if (!run.suspects.empty() && !run.waiting) {
    FollowUp(token, run);
  }
  if (token == round_) Charge(ThreadCpu() - before, now);
}

void Auditor::FinishIfDone(Token token, TimePoint now) {
  const auto found = runs_.find(token);
  if (found == runs_.end()) return;
  Run& run = found->second;
  if (run.reading || run.waiting || StepsLeft(run) > 0 || !run.suspects.empty()) return;
  run.report.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - run.began);
  const Run finished = std::move(run);
  runs_.erase(found);
  if (token == round_) {
    round_.reset();
    rounds_.Add();
    last_round_ = Round{now, finished.report.took};
  }
  if (finished.done) finished.done(finished.report);
}

// ---- what is mirrored against the kernel ----------------------------------------------------------------------------

// What depends on the news is being asked about already, as if it had been announced.
void Auditor::OnTables(const AuditedTables& tables, TimePoint now) {
  if (round_) Charge(tables.cpu, now);
  for (auto& [token, run] : runs_) {
    if (token > tables.id || run.tables != Run::Tables::kAsked) continue;
    run.tables = Run::Tables::kKnown;
    if (tables.error) run.report.incomplete = ToString(*tables.error);
    for (const std::string& news : tables.news) {
      Note(run, {"table", 0, 0, news, "what it was before: notifications are lost"});
    }
  }
  host_.AuditGoesOn();
}

// ---- hardware against what it should hold ---------------------------------------------------------------------------

void Auditor::BeginReadBack(Run& run) {
  const std::uint32_t port = run.ports.front();
  run.ports.pop_front();
  // One that has left since the run began is released, and what is missing there must not come back.
  const std::vector<std::uint32_t> in_service = host_.PortsToAudit();
  if (std::ranges::find(in_service, port) == in_service.end()) return;
  run.reading = host_.Now();
  run.expectation = {port, pipeline_.flows().OnPort(port), {}};
  run.expectation->entries.reserve(run.expectation->flows.size());
}

// What has changed since the reading began is not judged by it, so it does not matter when each entry was looked at.
void Auditor::Expect(Token token, Run& run) {
  Run::Expectation& expectation = *run.expectation;
  for (std::size_t i = 0; i < kExpectedPerStep && !expectation.flows.empty(); ++i) {
    const flow::Flow* flow = pipeline_.FindStanding(expectation.flows.back());
    expectation.flows.pop_back();
    if (flow != nullptr) expectation.entries.push_back({flow->id, flow->With(flow->installed), flow->section});
  }
  if (!expectation.flows.empty()) return;
  backend_.Audit(token, expectation.port, std::move(expectation.entries));
  run.expectation.reset();
}

void Auditor::OnAudited(offload::Audited report, TimePoint now) {
  const auto found = runs_.find(report.token);
  if (found == runs_.end()) return;
  Run& run = found->second;
  run.report.entries += report.entries;
  for (const offload::Difference& difference : report.differences) Judge(run, report.port, difference);
  run.reading.reset();
  const std::vector<std::uint32_t> ports = host_.PortsToAudit();
  if (report.error && std::ranges::find(ports, report.port) != ports.end()) {
    run.report.incomplete = ToString(*report.error);
    log::Limited("audit", log::Level::kWarning, {{"ERRNO", report.error->code}}, "the audit cannot read a port: {}",
                 *report.error);
  }
  if (report.token == round_) Charge(report.cpu, now);
  FinishIfDone(report.token, now);
  if (!runs_.empty()) host_.AuditGoesOn();
}

void Auditor::Judge(Run& run, std::uint32_t port, const offload::Difference& difference) {
  bool counts = true;
  if (difference.flaw == Flaw::kStray) {
    const bool stray = IsStray(difference);
    if (stray) backend_.RemoveStray(difference.found->filter.id);
    counts = stray || pipeline_.Evict(difference.flow, *run.reading);
  } else if (difference.flaw != Flaw::kClassifier) {
    counts = pipeline_.Rewrite(difference.flow, CannotBeReplaced(difference.flaw), *run.reading);
  }
  if (!counts) return;
  AuditDifference told;
  told.kind = std::string(ToString(difference.flaw));
  told.port = port;
  told.flow = difference.flow;
  if (difference.flaw == Flaw::kClassifier) {
    told.expected = fmt::format("the classifier in chain {}", difference.expected->id.chain);
  } else if (difference.expected) {
    told.expected = offload::InWords(*difference.expected);
  }
  told.found = InWords(difference.found);
  if (difference.flaw == Flaw::kCookie) {
    told.expected += ", cookie " + Hexadecimal(difference.expected->cookie);
    told.found += ", cookie " + Hexadecimal(difference.found->filter.cookie);
  }
  Note(run, std::move(told));
}

// A filter whose flow is gone, or whose flow's place is elsewhere. In its flow's own place it may just have been written.
bool Auditor::IsStray(const offload::Difference& difference) const {
  const netlink::FilterId& id = difference.found->filter.id;
  const flow::Flow* flow = pipeline_.flows().Find(difference.flow);
  if (flow == nullptr) return true;
  return offload::ToFilter({flow->match(), flow::Trap{}}, flow->id, flow->section).id != id;  // whatever it does there
}

// The driver still shows them, so reading back would find nothing.
void Auditor::WriteLostAgain() {
  for (const flow::Surprise& surprise : pipeline_.TakeSurprises()) {
    const flow::Flow* flow = pipeline_.flows().Find(surprise.flow);
    if (flow == nullptr || !flow->installed || settings_.period.count() == 0) continue;
    Tell({"miss", flow->port(), flow->id,
          offload::InWords(offload::ToFilter(flow->With(flow->installed), flow->id, flow->section)),
          "a packet that it should match"});
    for (const flow::FlowId id : surprise.entries) (void)pipeline_.Rewrite(id, false, surprise.seen);
  }
}

// ---- what it should hold against the kernel -------------------------------------------------------------------------

void Auditor::AskSome(Run& run) {
  std::vector<flow::Question> questions;
  while (questions.size() < kFlowsPerStep && !run.flows.empty()) {
    const flow::FlowId id = run.flows.front();
    run.flows.pop_front();
    const flow::Flow* flow = pipeline_.flows().Find(id);
    if (flow == nullptr || (!run.everything && !flow->unaudited)) continue;
    if (auto question = pipeline_.AuditQuestion(id)) questions.push_back(std::move(*question));
  }
  if (questions.empty()) return;
  run.report.questions += questions.size();
  for (const flow::Answer& answer : host_.Ask(questions)) {
    pipeline_.NoteAudited(answer.question.flow);
    if (pipeline_.Disagrees(answer)) run.suspects.push_back(answer.question.flow);
  }
}

void Auditor::FollowUp(Token token, Run& run) {
  run.waiting = true;
  host_.WhenInStep([this, token](bool in_step) { Confirm(token, in_step); });
}

void Auditor::Confirm(Token token, bool in_step) {
  const auto found = runs_.find(token);
  if (found == runs_.end()) return;
  Run& run = found->second;
  run.waiting = false;
  std::vector<flow::Question> questions;
  for (const flow::FlowId id : std::exchange(run.suspects, {})) {
    if (auto question = pipeline_.AuditQuestion(id); question && in_step) questions.push_back(std::move(*question));
  }
  if (!in_step) run.report.incomplete = "the agent did not come into step with the kernel";
  for (const flow::Answer& answer : questions.empty() ? std::vector<flow::Answer>{} : host_.Ask(questions)) {
    const flow::Flow* flow = pipeline_.flows().Find(answer.question.flow);
    if (flow == nullptr || !pipeline_.Disagrees(answer)) continue;
    Note(run, {"path", flow->port(), flow->id, InWords(answer, *flow),
               offload::InWords(offload::ToFilter(flow->With(flow->installed), flow->id, flow->section))});
    pipeline_.AskAgain(flow->id);
  }
  FinishIfDone(token, host_.Now());
  host_.AuditGoesOn();
}

void Auditor::Note(Run& run, AuditDifference difference) {
  Tell(difference);
  if (run.report.differences.size() < kDifferencesTold) run.report.differences.push_back(std::move(difference));
}

void Auditor::Tell(const AuditDifference& difference) {
  registry_
      .AddCounter("dpuflow_audit_differences_total", "What an audit found to differ, and mended, by kind.",
                  {{"kind", difference.kind}})
      .Add();
  log::Limited("audit-" + difference.kind, log::Level::kWarning,
               {{"FLOW", difference.flow}, {"IFINDEX", difference.port}}, "audit: {}: expected {}, found {}",
               difference.kind, difference.expected.empty() ? "nothing" : difference.expected,
               difference.found.empty() ? "nothing" : difference.found);
}

}  // namespace dpuflow
