// SPDX-License-Identifier: Apache-2.0
//
// The audit: what hardware holds is compared with what it should hold, and what it should hold with what the kernel says
// now. Events and sweeps keep both in step; the audit proves it, and mends what slipped through.
//
//   round --> the tables:  read once more ------------(news)-------> notifications were lost; what depends on it is asked for
//         \-> each port:   entries read back in full --(compared)--> flaws -----> written again, or removed
//         \-> each flow:   the kernel asked again ----(disagrees)--> suspects --(in step, asked once more)--> asked for good
//
// Between rounds, a packet that comes up though all its entries have stood for a while tells that the hardware has lost one
// of them: they are written again.
//
// A difference is what stands though nothing is under way that would end it: an entry is judged only if it was neither
// written nor asked about since it was read, and the kernel's word against it counts only if it is still so when every
// event up to then has been worked off.
//
// Rounds follow each other at the set period, spread over it and never above their share of one processor: where that is
// not enough, a round takes longer. Verify runs one at once. Lives on the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/daemon/metrics.h"
#include "agent/flow/pipeline.h"
#include "agent/offload/backend.h"

namespace dpuflow {

// One thing that was found. `expected` and `found` are in words, for people; empty: nothing.
struct AuditDifference {
  // Of offload::Flaw; or "path": the kernel would do something else; "table": notifications of one were lost; "miss": a packet
  // came up.
  std::string kind;
  std::uint32_t port = 0;
  flow::FlowId flow = 0;  // 0: of no flow
  std::string expected;
  std::string found;
};

struct AuditReport {
  std::vector<AuditDifference> differences;
  std::size_t entries = 0;    // read back
  std::size_t questions = 0;  // asked of the kernel
  std::chrono::milliseconds took{};
  std::string incomplete;  // why something could not be looked at; empty: all was
};

// The mirrored tables have been read once more, and what they say is known.
struct AuditedTables {
  std::uint64_t id = 0;
  std::vector<std::string> news;  // what no notification had told, a table each, in words
  std::chrono::nanoseconds cpu{};
  std::optional<Error> error;
};

// What the auditor needs of the agent.
class AuditHost {
 public:
  virtual ~AuditHost() = default;
  [[nodiscard]] virtual flow::TimePoint Now() const = 0;
  [[nodiscard]] virtual std::vector<std::uint32_t> PortsToAudit() const = 0;  // in service now
  // Has the tables that are mirrored read once more; OnTables of the auditor is told, with this id or a later one.
  virtual void ReadTables(std::uint64_t id) = 0;
  [[nodiscard]] virtual std::vector<flow::Answer> Ask(std::span<const flow::Question> questions) = 0;
  // Calls `done` when all that has happened up to now has reached the hardware; false: it did not within a time.
  virtual void WhenInStep(std::function<void(bool in_step)> done) = 0;
  virtual void AuditGoesOn() = 0;  // Advance wants to be called
};

struct AuditSettings {
  std::chrono::milliseconds period{};  // of a round; 0: no rounds, only Verify
  unsigned cpu_percent = 2;            // of one processor, that rounds may take
};

class Auditor {
 public:
  using TimePoint = flow::TimePoint;
  using Done = std::function<void(const AuditReport&)>;

  Auditor(const AuditSettings& settings, flow::Pipeline& pipeline, offload::Backend& backend, AuditHost& host,
          metrics::Registry& registry);

  // Goes on with the round, as far as its pace allows. Each second.
  void OnTick(TimePoint now);
  // A step of each verification that is under way.
  void Advance(TimePoint now);
  void OnAudited(offload::Audited report, TimePoint now);
  void OnTables(const AuditedTables& tables, TimePoint now);

  // Looks at everything at once, also at flows that have not moved. Rounds ask about those that have: a question would keep
  // the bucket of an ended flow in place, and an idle entry harms nobody until it moves.
  void Verify(Done done);

  // Of the last complete round: when it ended and how long it took. Nothing before the first.
  struct Round {
    TimePoint ended;
    std::chrono::milliseconds took{};
  };
  [[nodiscard]] const std::optional<Round>& last_round() const { return last_round_; }

 private:
  struct Run {
    enum class Tables : std::uint8_t { kToBeRead, kAsked, kKnown };

    bool everything = false;
    Tables tables = Tables::kToBeRead;  // before anything else, since answers go by them
    std::deque<std::uint32_t> ports;    // to be read back
    std::deque<flow::FlowId> flows;     // to be asked about
    std::vector<flow::FlowId> suspects;
    std::optional<TimePoint> reading;  // since when a port is being read back
    struct Expectation {               // of what is to be found there, put together in slices
      std::uint32_t port = 0;
      std::vector<flow::FlowId> flows;  // still to be looked at
      std::vector<offload::Expected> entries;
    };
    std::optional<Expectation> expectation;  // until the backend has it
    bool waiting = false;                    // to be in step
    TimePoint began;
    AuditReport report;
    Done done;
  };
  using Token = std::uint64_t;

  Token Begin(bool everything, TimePoint now, Done done);
  // The tables or a port requested, or some flows asked about, or suspects followed up. A round is charged for it.
  void Step(Token token, TimePoint now);
  [[nodiscard]] bool GoesOn(Token token) const;  // with its next step, as soon as others have had their turn
  void BeginReadBack(Run& run);
  void Expect(Token token, Run& run);
  void AskSome(Run& run);
  void FollowUp(Token token, Run& run);
  void Confirm(Token token, bool in_step);
  void FinishIfDone(Token token, TimePoint now);
  void Judge(Run& run, std::uint32_t port, const offload::Difference& difference);
  void WriteLostAgain();
  void Tell(const AuditDifference& difference);
  void Note(Run& run, AuditDifference difference);
  void Charge(std::chrono::nanoseconds cpu, TimePoint now);
  [[nodiscard]] bool IsStray(const offload::Difference& difference) const;
  [[nodiscard]] std::size_t StepsLeft(const Run& run) const;

  AuditSettings settings_;
  flow::Pipeline& pipeline_;
  offload::Backend& backend_;
  AuditHost& host_;
  metrics::Registry& registry_;
  metrics::Counter& rounds_;
  metrics::Counter& cpu_;
  std::map<Token, Run> runs_;
  Token last_token_ = 0;
  std::optional<Token> round_;        // the run that is the present round; all others are verifications
  TimePoint next_step_;               // when the round is to go on by its period
  TimePoint paid_at_;                 // ... and by its share of the processor
  std::chrono::nanoseconds pause_{};  // between two steps of the round
  std::optional<Round> last_round_;
};

}  // namespace dpuflow
