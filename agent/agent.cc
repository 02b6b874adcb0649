// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <variant>

#include "agent/daemon/log.h"

namespace dpuflow {
namespace {

using std::chrono::milliseconds;

// What one turn of the loop does at most of each thing, so that no kind of work starves another.
constexpr std::size_t kKernelBatches = 64;
constexpr std::size_t kReportsPerTurn = 256;
constexpr std::size_t kMissesPerTurn = 1024;
constexpr std::size_t kQuestionsPerTurn = 256;
constexpr std::size_t kOperationsPerTurn = 256;
constexpr std::size_t kJudgedPerTurn = 2048;  // flows of a sweep: half a millisecond
constexpr std::size_t kTickedPerTurn = 8192;  // flows, most of which there is nothing to be done about: likewise

constexpr milliseconds kAuditSync{10000};  // how long an audit waits for the agent to come into step

constexpr std::chrono::seconds kLongestPoll{5};  // neighbours in use are told of after it (dpuflowd(8), keep-alive)

constexpr std::size_t kKernelQueue = 1024;  // batches from the watcher; full: it waits, and the kernel keeps the rest
constexpr std::size_t kReportQueue = 65536;

flow::Limits LimitsOf(const Config& config) {
  flow::Limits limits;
  limits.idle_time = config.idle_time;
  limits.max_entries = config.max_entries;
  return limits;
}

// Flows of an earlier run keep their numbers, so those of this one begin somewhere else.
flow::FlowId SomeFlowId() { return std::random_device{}() & 0x7fffffffu; }

flow::Miss MissOf(const MissEvent& event) {
  flow::Miss miss;
  miss.port = event.port;
  miss.vlan = event.vlan;
  miss.vlan_priority = event.vlan_priority;
  miss.ethertype = event.ethertype;
  miss.source_mac = event.source_mac;
  miss.destination_mac = event.destination_mac;
  miss.source = event.source;
  miss.destination = event.destination;
  miss.protocol = event.protocol;
  miss.source_port = event.source_port;
  miss.destination_port = event.destination_port;
  miss.tos = event.tos;
  return miss;
}

}  // namespace

struct Agent::Counters {
  explicit Counters(metrics::Registry& registry)
      : kernel_events(registry.AddCounter("dpuflow_kernel_events_total", "Notifications and table rows read.")),
        overflows(registry.AddCounter("dpuflow_netlink_overruns_total",
                                      "Times that notifications were lost and tables were read again.")),
        troubles(registry.AddCounter("dpuflow_netlink_failures_total", "Reads from the kernel that failed.")),
        bucket_lookups(registry.AddCounter(
            "dpuflow_bucket_lookups_total",
            "Lookups that keep buckets of resilient nexthop groups in use while hardware sends by them.")) {}
  metrics::Counter& kernel_events;
  metrics::Counter& overflows;
  metrics::Counter& troubles;
  metrics::Counter& bucket_lookups;
};

// ---- start and stop -------------------------------------------------------------------------------------------------

Agent::Agent(const Config& config, EventLoop& loop, Classifier classifier, Notifier wake)
    : config_(config),
      loop_(loop),
      started_(flow::Clock::now()),
      counters_(std::make_unique<Counters>(metrics_)),
      classifier_(std::make_unique<Classifier>(std::move(classifier))),
      classifier_feed_(*classifier_),
      wake_(std::move(wake)),
      kernel_events_(kKernelQueue, &wake_),
      reports_(kReportQueue, &wake_),
      pipeline_(LimitsOf(config), SomeFlowId()),
      latencies_(metrics_),
      sweeps_(SweepPace(config.poll_period, std::min<flow::Duration>(config.idle_time / 6, kLongestPoll)), pipeline_,
              metrics_),
      walks_(pipeline_.flows()) {}

Agent::~Agent() {
  kernel_events_.Close();  // a thread that waits for room in a queue must not be waited for
  reports_.Close();
  keep_alive_.reset();
  watcher_.reset();
  backend_.reset();
  log::FlushSuppressed();
}

Result<std::unique_ptr<Agent>> Agent::Start(const Config& config, EventLoop& loop) {
  // First what a user can get wrong, so that the sentence comes before anything is touched.
  auto devlink = kernel::ReadDevlink();
  if (!devlink) return tl::make_unexpected(devlink.error());
  if (auto chosen = kernel::ChooseSwitch(devlink->eswitches, config.devlink); !chosen) {
    return tl::make_unexpected(chosen.error());
  }
  ClassifierOptions options;
  options.settings.forward = config.classifier_forward;
  auto classifier = Classifier::Load(options);
  if (!classifier) return tl::make_unexpected(classifier.error());
  auto wake = Notifier::Create();
  if (!wake) return tl::make_unexpected(wake.error());
  std::unique_ptr<Agent> agent(new Agent(config, loop, std::move(*classifier), std::move(*wake)));
  if (auto connected = agent->Connect(); !connected) return tl::make_unexpected(connected.error());
  return agent;
}

Result<void> Agent::Connect() {
  auto resolver =
      kernel::Resolver::Open(*classifier_, {config_.oversize == Oversize::kTrust, config_.respect_netfilter});
  if (!resolver) return tl::make_unexpected(resolver.error());
  resolver_ = std::make_unique<kernel::Resolver>(std::move(*resolver));

  offload::TcBackendOptions options;
  options.programmers = config_.programming_threads;
  options.batch = config_.programming_batch;
  options.program = classifier_->program_fd();
  auto backend =
      offload::TcBackend::Start(options, [this](offload::Report report) { (void)reports_.Push(std::move(report)); });
  if (!backend) return tl::make_unexpected(backend.error());
  backend_ = std::move(*backend);
  ports_.reset(new PortManager(*backend_, pipeline_, *this, config_.sources,
                               config_.ingress_mtu));  // here, where PortListener is accessible
  const AuditSettings audit{config_.audit ? config_.audit_period : milliseconds(0), config_.audit_cpu_percent};
  auditor_.reset(new Auditor(audit, pipeline_, *backend_, *this, metrics_));

  const auto add = [](EventSource& into, Result<EventSource> source) -> Result<void> {
    if (!source) return tl::make_unexpected(source.error());
    into = std::move(*source);
    return {};
  };
  const auto woken = [this](std::uint32_t) {
    wake_.Consume();
    Advance();
  };
  const auto missed = [this](std::uint32_t) { Advance(); };
  for (Result<void> added : {
           add(wake_source_, loop_.AddIo(wake_.fd(), woken)),
           add(ring_source_, loop_.AddIo(classifier_->ring_fd(), missed)),
           add(tick_, loop_.AddTimer(std::chrono::seconds(1), [this](TimePoint now) { OnTick(now); })),
           add(poll_, loop_.AddTimer(config_.poll_period, [this](TimePoint now) { OnPoll(now); })),
           add(advance_, loop_.AddDefer([this] { Advance(); })),
       }) {
    if (!added) return added;
  }
  auto watcher = kernel::Watcher::Start(
      [this](std::vector<kernel::KernelEvent> events) { return kernel_events_.Push(std::move(events)); });
  if (!watcher) return tl::make_unexpected(watcher.error());
  watcher_ = std::move(*watcher);
  auto keep_alive = KeepAlive::Start(config_.keep_alive, metrics_);
  if (!keep_alive) return tl::make_unexpected(keep_alive.error());
  keep_alive_ = std::move(*keep_alive);
  return {};
}

void Agent::Stop(std::function<void(bool clean)> stopped) {
  stopped_callback_ = std::move(stopped);
  ports_->ReleaseAll(flow::Clock::now());
  Schedule();
}

// ---- what comes in --------------------------------------------------------------------------------------------------

void Agent::Advance() {
  const TimePoint now = flow::Clock::now();
  ReadKernelEvents(now);
  ReadReports(now);
  ReadMisses(now);
  sweeps_.JudgeSome(kJudgedPerTurn);
  walks_.Advance(kTickedPerTurn);
  if (ticking_) ticking_ = !pipeline_.OnTick(now, kTickedPerTurn);
  if (ports_changed_) UpdatePorts(now);
  ResolveSome(now);
  auditor_->Advance(now);
  TellSources();
  TellUses(now);
  KeepBuckets();
  IssueOperations();
  ports_->Advance(now);
  CheckReady();
  AnswerSyncs(now);
  if (ports_->done() && stopped_callback_) std::exchange(stopped_callback_, nullptr)(!left_something_);
  const bool work_left = pipeline_.questions_waiting() > 0 || (pipeline_.operations_waiting() > 0 && unsent_.empty()) ||
                         kernel_events_.size() > 0 || reports_.size() > 0 || !bucket_keeper_.empty() ||
                         sweeps_.judging() || !walks_.empty() || ticking_;
  if (work_left) Schedule();
}

void Agent::ReadKernelEvents(TimePoint now) {
  for (std::vector<kernel::KernelEvent>& batch : kernel_events_.TryPopBatch(kKernelBatches)) {
    differences_.clear();
    for (kernel::KernelEvent& event : batch) {
      counters_->kernel_events.Add();
      const auto* change = std::get_if<flow::Change>(&event);  // most of them, and there may be a million
      if (change != nullptr) {
        Apply(*change, now);
      } else {
        Apply(std::move(event), now);
      }
    }
  }
  // Once for all events of the turn: each of these looks through the flows, and a burst of addresses is thousands.
  if (std::exchange(martians_changed_, false)) ports_->OnMartians(now);
  if (std::exchange(forward_path_changed_, false)) {
    rules_changed_ = everything_changed_ = true;
    TellClassifierOfLanes();
  }
  if (std::exchange(rules_changed_, false)) TellClassifierSettings();
  if (std::exchange(everything_changed_, false)) pipeline_.OnChange(flow::EverythingChanged{}, now);
}

void Agent::Apply(kernel::KernelEvent event, TimePoint now) {
  ApplyRemark(event, now);
  const bool links_read = tables_.links_read;
  kernel::News news = tables_.Apply(std::move(event), now);
  if (!links_read && tables_.links_read) last_resync_ = now;
  if (!news.difference.empty()) differences_.push_back(std::move(news.difference));
  if (news.devlink) {
    ChooseSwitch();
    ports_->OnDevlink();
  }
  ports_changed_ |= news.ports;
  martians_changed_ |= news.martians;
  rules_changed_ |= news.rules;
  forward_path_changed_ |= news.forward_path;
  for (const flow::Change& change : news.changes) Apply(change, now);
}

void Agent::Apply(const flow::Change& change, TimePoint now) {
  if (std::holds_alternative<flow::EverythingChanged>(change)) {
    everything_changed_ = true;
  } else {
    pipeline_.OnChange(change, now);
  }
}

// What the watcher says of its work.
void Agent::ApplyRemark(const kernel::KernelEvent& event, TimePoint now) {
  if (const auto* barrier = std::get_if<kernel::Barrier>(&event)) {
    barrier_seen_ = barrier->id;
  } else if (const auto* read = std::get_if<kernel::TablesRead>(&event)) {
    auditor_->OnTables({read->id, read->exact ? differences_ : std::vector<std::string>(), read->cpu, read->error},
                       now);
  } else if (const auto* overflow = std::get_if<kernel::Overflow>(&event)) {
    counters_->overflows.Add();
    last_resync_ = now;
    log::Limited("overflow-" + overflow->what, log::Level::kWarning, {},
                 "notifications about {} were lost; their tables are being read again", overflow->what);
  } else if (const auto* trouble = std::get_if<kernel::Trouble>(&event)) {
    counters_->troubles.Add();
    log::Limited("watcher", log::Level::kWarning, {{"ERRNO", trouble->error.code}}, "{}", trouble->error);
  }
}

void Agent::ReadReports(TimePoint now) {
  for (offload::Report& report : reports_.TryPopBatch(kReportsPerTurn)) Apply(std::move(report), now);
}

void Agent::Apply(offload::Report report, TimePoint now) {
  if (auto* outcomes = std::get_if<offload::Outcomes>(&report)) {
    std::set<std::uint32_t> lost;
    for (const flow::Outcome& outcome : *outcomes) {
      if (outcome.error) {
        log::Limited("refused", log::Level::kInfo, {{"FLOW", outcome.flow}, {"ERRNO", outcome.error->code}}, "{}",
                     *outcome.error);
      }
      const flow::Flow* flow = pipeline_.flows().Find(outcome.flow);
      if (outcome.error && flow != nullptr && offload::FootingIsGone(*outcome.error)) lost.insert(flow->port());
      latencies_.OnOutcome(outcome, now);
      pipeline_.OnOutcome(outcome, now);
    }
    for (const std::uint32_t ifindex : lost) {
      log::Warning({{"PORT", tables_.links.Name(ifindex)}},
                   "the qdisc of {} has been deleted; the port is prepared again", tables_.links.Name(ifindex));
      ports_->OnFootingLost(ifindex);
    }
  } else if (auto* prepared = std::get_if<offload::PortPrepared>(&report)) {
    // A port that checks sources must do so from its first entry on.
    ReadSysctls(now);
    ports_->OnPrepared(std::move(*prepared), now);
  } else if (const auto* released = std::get_if<offload::PortReleased>(&report)) {
    left_something_ |= !released->clean;
    ports_->OnReleased(*released, now);
    ports_changed_ = true;  // what was released may be there again already
  } else if (const auto* tried = std::get_if<offload::RouteTried>(&report)) {
    ports_->OnRouteTried(*tried, now);
  } else if (auto* swept = std::get_if<offload::Swept>(&report)) {
    sweeps_.OnSwept(std::move(*swept));
  } else if (auto* audited = std::get_if<offload::Audited>(&report)) {
    auditor_->OnAudited(std::move(*audited), now);
  } else if (const auto* trouble = std::get_if<offload::BackendTrouble>(&report)) {
    sweeps_.OnFailure();
    const bool gone = trouble->error.code == ENODEV || trouble->error.code == EINVAL;  // with its port
    log::Limited("backend", gone ? log::Level::kDebug : log::Level::kWarning, {{"ERRNO", trouble->error.code}}, "{}",
                 trouble->error);
  }
}

void Agent::ReadMisses(TimePoint now) {
  std::chrono::nanoseconds last{};
  const auto take = [&](const MissEvent& event) {
    last = event.time;
    pipeline_.OnMiss(MissOf(event), {TimePoint(event.time), event.verdict == DPUFLOW_VERDICT_FORWARDED}, now);
  };
  misses_left_ = classifier_->DrainMisses(take, kMissesPerTurn) == kMissesPerTurn;
  misses_read_ = misses_left_ ? TimePoint(last) : now;  // both by CLOCK_MONOTONIC
  if (misses_left_) Schedule();
}

void Agent::OnTick(TimePoint now) {
  ReadSysctls(now);
  ticking_ = true;
  auditor_->OnTick(now);
  if (config_.keep_alive) bucket_keeper_.OnTick(tables_.nexthops, pipeline_.flows(), now);
  log::FlushSuppressed();
  Schedule();
}

void Agent::ReadSysctls(TimePoint now) {
  ports_->OnSysctls(sysctl_reader_.Read(ports_->Names()), now);
  TellClassifierSettings();
}

void Agent::TellClassifierOfLanes() {
  for (const Error& error : classifier_feed_.Tell(ViewOf(*ports_, tables_.forward_path, config_.respect_netfilter))) {
    log::Error({{"ERRNO", error.code}}, "{}", error);
  }
}

void Agent::TellClassifierSettings() {
  const kernel::DecisionPorts no_ports;
  const ClassifierSettings settings = SettingsOf(classifier_->settings(), Context(no_ports),
                                                 ports_->sysctls().ipv6_forwarding, config_.respect_netfilter);
  if (auto told = classifier_feed_.Tell(settings); !told)
    log::Error({{"ERRNO", told.error().code}}, "{}", told.error());
}

void Agent::OnPoll(TimePoint now) {
  keep_alive_->OnPoll(tables_);
  if (!sweeps_.IsDue(now)) return;
  for (const auto& [ifindex, slot] : ports_->slots()) {
    const flow::PacketKinds kinds = pipeline_.flows().KindsOnPort(ifindex);
    if (slot.state == PortSlot::State::kReady && kinds.any()) backend_->Sweep(ifindex, kinds);
  }
}

// ---- what goes out --------------------------------------------------------------------------------------------------

void Agent::ResolveSome(TimePoint now) {
  const std::vector<flow::Question> questions = pipeline_.TakeQuestions(kQuestionsPerTurn, now);
  if (questions.empty()) return;
  for (const flow::Answer& answer : Ask(questions)) pipeline_.OnAnswer(answer, now);
}

std::vector<flow::Answer> Agent::Ask(std::span<const flow::Question> questions) {
  const kernel::DecisionPorts& ports = ports_->ForDecisions();
  return resolver_->Resolve(questions, Context(ports));
}

kernel::DecisionContext Agent::Context(const kernel::DecisionPorts& ports) const {
  const kernel::Sysctls& sysctls = ports_->sysctls();
  return {ports,           ports_->topology(), ports_->reach(),         tables_,
          sysctls.hash_v4, sysctls.hash_v6,    sysctls.bridge_netfilter};
}

void Agent::TellSources() {
  for (const flow::SourceUpdate& update : pipeline_.TakeSourceUpdates()) {
    const Lane lane{update.lane.port, update.lane.vlan};
    const auto told =
        update.allowed ? classifier_->AddSource(lane, update.address) : classifier_->RemoveSource(lane, update.address);
    if (!told) {
      if (update.allowed)
        pipeline_.SourceNotTaken(update.lane, update.address);  // asked about again by its next packet
      log::Limited("sources", log::Level::kWarning, {{"ERRNO", told.error().code}}, "{}", told.error());
    }
  }
}

void Agent::TellUses(TimePoint now) {
  keep_alive_->TellNeighs(pipeline_.TakeUsedNeighs(), tables_);
  keep_alive_->TellStations(pipeline_.TakeUsedStations(), tables_, now);
}

void Agent::KeepBuckets() {
  std::vector<flow::Question> questions;
  for (const flow::FlowId id : bucket_keeper_.Take(kQuestionsPerTurn)) {
    if (auto question = pipeline_.AuditQuestion(id)) questions.push_back(std::move(*question));
  }
  if (questions.empty()) return;
  const kernel::DecisionPorts& ports = ports_->ForDecisions();
  resolver_->LookUp(questions, Context(ports));
  counters_->bucket_lookups.Add(questions.size());
}

void Agent::IssueOperations() {
  if (unsent_.empty() && pipeline_.operations_waiting() > 0) {
    unsent_ = pipeline_.TakeOperations(kOperationsPerTurn, flow::Clock::now());  // asking the kernel has taken a while
  }
  if (!unsent_.empty()) backend_->Submit(unsent_);  // what is left is tried again when an outcome has made room
}

// ---- ports ----------------------------------------------------------------------------------------------------------

void Agent::ChooseSwitch() {
  // Once chosen, a switch is kept as long as it is there: a second one is no reason to let go of the first.
  if (switch_) {
    if (auto again = kernel::FindSwitch(tables_.devlink->eswitches, switch_->switch_id)) {
      switch_ = std::move(*again);
      return;
    }
  }
  auto chosen = kernel::ChooseSwitch(tables_.devlink->eswitches, config_.devlink);
  if (!chosen) {
    if (switch_) log::Warning({}, "{}; everything stays in software", chosen.error());
    switch_.reset();
    return;
  }
  switch_ = std::move(*chosen);
}

void Agent::UpdatePorts(TimePoint now) {
  ports_changed_ = false;
  if (!tables_.links_read || !tables_.devlink) return;
  std::map<std::uint32_t, kernel::SwitchPort> found;
  if (switch_) found = kernel::FindPorts(*switch_, tables_.devlink->ports, tables_.links);
  std::vector<std::uint32_t> ifindexes;
  for (const auto& [ifindex, port] : found) ifindexes.push_back(ifindex);
  if (!ports_->Update(std::move(found), kernel::Topology(ifindexes, tables_.links, tables_.bridges), now)) return;
  ReadSysctls(now);  // of interfaces that are new: whether they check sources
  TellClassifierOfLanes();
}

std::vector<IpPrefix> Agent::MartiansOf(std::uint32_t l3_ifindex) const { return tables_.MartiansAt(l3_ifindex); }

void Agent::PortReady(std::uint32_t ifindex) {
  TellClassifierOfLanes();
  log::Info({{"PORT", tables_.links.Name(ifindex)}}, "{} takes part", tables_.links.Name(ifindex));
  pipeline_.OnChange(flow::LinkChanged{ifindex}, flow::Clock::now());  // flows that lead here may now be offloaded
}

void Agent::PortSwitched(const PortSlot& slot) {
  const std::uint32_t ifindex = slot.info.link.ifindex;
  TellClassifierOfLanes();
  log::Info({{"PORT", slot.info.link.name}}, "offload is switched {} at {}", slot.offload ? "on" : "off",
            slot.info.link.name);
  pipeline_.OnChange(flow::LinkChanged{ifindex}, flow::Clock::now());
}

void Agent::PortLeft(const PortSlot& slot) {
  const std::string& name = slot.info.link.name;
  TellClassifierOfLanes();
  sweeps_.Forget(slot.info.link.ifindex);
  log::Info({{"PORT", name}}, "{} no longer takes part", name);
  pipeline_.OnChange(flow::LinkChanged{slot.info.link.ifindex}, flow::Clock::now());
}

void Agent::PortRefused(const PortSlot& slot) {
  const std::string& name = slot.info.link.name;
  log::Warning({{"PORT", name}}, "{} stays in software: {}; type: {}", name, slot.refusal, slot.hint);
}

// ---- sync -----------------------------------------------------------------------------------------------------------

void Agent::Sync(milliseconds timeout, std::function<void(const SyncReport&)> done) {
  AddSync(timeout, std::move(done), true);
}

void Agent::AddSync(milliseconds timeout, std::function<void(const SyncReport&)> done, bool by_user) {
  const TimePoint now = flow::Clock::now();
  const flow::PipelineCounters& counters = pipeline_.counters();
  ReadSysctls(now);
  syncs_.push_back({++barrier_asked_, std::nullopt, now, now + timeout,
                    counters_->kernel_events.value() + counters.misses, counters.questions,
                    counters.adds + counters.replaces + counters.removes, std::move(done), by_user});
  watcher_->RequestBarrier(barrier_asked_);
  Schedule();
}

bool Agent::AllRead(const PendingSync& sync) const {
  return barrier_seen_ >= sync.barrier && misses_read_ > sync.began && ports_->settled();
}

void Agent::AnswerSyncs(TimePoint now) {
  const flow::PipelineCounters& counters = pipeline_.counters();
  for (std::size_t i = 0; i < syncs_.size();) {
    PendingSync& pending = syncs_[i];
    if (!pending.mark && AllRead(pending)) pending.mark = pipeline_.Mark();
    const bool complete = pending.mark && pipeline_.SettledThrough(*pending.mark) && ports_->settled();
    if (!complete && now < pending.deadline) {
      ++i;
      continue;
    }
    const PendingSync sync = std::move(pending);
    syncs_.erase(syncs_.begin() + static_cast<std::ptrdiff_t>(i));
    SyncReport report;
    report.complete = complete;
    report.events_read = counters_->kernel_events.value() + counters.misses - sync.events;
    report.flows_resolved = counters.questions - sync.questions;
    report.operations_acknowledged = counters.adds + counters.replaces + counters.removes - sync.operations;
    report.took = std::chrono::duration_cast<milliseconds>(now - sync.began);
    report.events_pending = kernel_events_.size() + (barrier_seen_ < sync.barrier ? 1 : 0);
    report.flows_pending = pipeline_.questions_waiting();
    report.operations_pending = operations_waiting() + pipeline_.in_flight();
    if (complete && sync.by_user) last_sync_ = now;
    sync.done(report);
  }
}

// ---- audit ----------------------------------------------------------------------------------------------------------

void Agent::Verify(Auditor::Done done) { auditor_->Verify(std::move(done)); }

std::vector<std::uint32_t> Agent::PortsToAudit() const {
  std::vector<std::uint32_t> ports;
  for (const auto& [ifindex, slot] : ports_->slots()) {
    if (slot.state == PortSlot::State::kReady) ports.push_back(ifindex);
  }
  return ports;
}

void Agent::WhenInStep(std::function<void(bool in_step)> done) {
  AddSync(
      kAuditSync, [done = std::move(done)](const SyncReport& report) { done(report.complete); }, false);
}

std::uint64_t Agent::kernel_events() const { return counters_->kernel_events.value(); }

std::vector<QueueDepth> Agent::Queues() const {
  const flow::PipelineCounters& counters = pipeline_.counters();
  const flow::Limits& limits = pipeline_.limits();
  const std::size_t flows = 2 * limits.max_entries;
  std::vector<QueueDepth> queues = {
      kernel_events_.Depth("kernel"),
      {"packets", pipeline_.packets_waiting(), counters.packets_peak, limits.max_questions, counters.questions_dropped},
      {"changed", pipeline_.changed_waiting(), counters.changed_peak, flows, 0},
      {"operations", operations_waiting(), counters.operations_peak, flows, 0},
  };
  std::ranges::copy(backend_->Queues(), std::back_inserter(queues));
  queues.push_back(reports_.Depth("reports"));
  return queues;
}

void Agent::Walk(FlowWalk walk) {
  walks_.Add(std::move(walk));
  Schedule();
}

std::size_t Agent::Flush(const std::function<bool(const flow::Flow&)>& selected) {
  const std::size_t count = pipeline_.Flush(selected);
  Schedule();
  return count;
}

std::optional<std::vector<std::string>> Agent::SetOffload(bool on, const std::optional<std::string>& port) {
  const TimePoint now = flow::Clock::now();
  std::vector<std::string> names;
  if (!port) ports_->SetOffloadOfAll(on, now);
  for (const auto& [ifindex, slot] : ports_->slots()) {
    if (port && slot.info.link.name != *port) continue;
    if (port) (void)ports_->SetOffload(ifindex, on, now);
    names.push_back(slot.info.link.name);
  }
  if (port && names.empty()) return std::nullopt;
  Schedule();
  return names;
}

Explanation Agent::Explain(const PacketQuestion& question) const {
  const kernel::DecisionPorts& ports = ports_->ForDecisions();
  const kernel::DecisionContext decision = Context(ports);
  const ExplainContext context{ports_->slots().at(question.packet.port), pipeline_, decision, classifier_->settings(),
                               config_.respect_netfilter};
  std::optional<kernel::Insight> kernel;
  if (CanAskKernel(question, context)) kernel = resolver_->Inspect({0, question.packet, true, 0}, decision);
  return dpuflow::Explain(question, kernel, context);
}

void Agent::CheckReady() {
  if (ready_ || !tables_.links_read || !tables_.devlink || !ports_->settled()) return;
  ready_ = true;
  if (ready_callback_) ready_callback_();
}

}  // namespace dpuflow
