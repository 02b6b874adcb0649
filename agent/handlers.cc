// SPDX-License-Identifier: Apache-2.0
#include "agent/handlers.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "agent/explain_view.h"
#include "agent/stats.h"
#include "agent/views.h"

namespace dpuflow {
namespace {

using api::Call;
using api::Json;
using flow::Flow;
using flow::TimePoint;

constexpr std::int64_t kDefaultSyncTimeout = 10000;  // milliseconds
constexpr std::int64_t kMaxSyncTimeout = 600000;

std::int64_t MillisecondsSince(TimePoint then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(flow::Clock::now() - then).count();
}

std::string KernelRelease() {
  utsname names{};
  uname(&names);
  return names.release;
}

// Counts all flows, and then calls `done`.
void Count(Agent& agent, std::function<void(const FlowCounts&)> done) {
  auto counts = std::make_shared<FlowCounts>();
  agent.Walk({[counts] { *counts = {}; }, [counts](const Flow& flow) { counts->Add(flow); },
              [counts, done = std::move(done)] { done(*counts); }});
}

Json FlowCountsView(const FlowCounts& counts) {
  Json view = Json::array();
  for (std::size_t table = 0; table < counts.states.size(); ++table) {
    for (std::size_t state = 0; state < counts.states[table].size(); ++state) {
      if (counts.states[table][state] == 0) continue;
      view.push_back({{"table", std::string(ToString(static_cast<flow::Table>(table)))},
                      {"state", std::string(ToString(static_cast<flow::State>(state)))},
                      {"count", counts.states[table][state]}});
    }
  }
  return view;
}

Json QueuesView(const Agent& agent) {
  Json view = Json::array();
  for (const QueueDepth& queue : agent.Queues()) {
    view.push_back({{"name", queue.name},
                    {"depth", queue.depth},
                    {"peak", queue.peak},
                    {"limit", queue.limit},
                    {"overflows", queue.overflows}});
  }
  return view;
}

Json SettingsView(const Config& config) {
  return {{"idle_time_ms", config.idle_time.count()},
          {"poll_period_ms", config.poll_period.count()},
          {"audit_period_ms", config.audit ? config.audit_period.count() : 0},
          {"max_flows", config.max_entries},
          {"programmers", config.programming_threads},
          {"oversize", config.oversize == Oversize::kTrust ? "trust" : "software"},
          {"keep_alive", config.keep_alive}};
}

Json AuditView(const Agent& agent) {
  Json view = {{"period_ms", agent.config().audit_period.count()}};
  if (const auto& last = agent.auditor().last_round()) {
    view["ended_ms"] = MillisecondsSince(last->ended);
    view["took_ms"] = last->took.count();
  }
  return view;
}

bool HasChains(const PortManager& ports, const netlink::DevlinkHandle& eswitch) {
  return std::ranges::none_of(ports.slots(), [&](const auto& entry) {
    const PortSlot& slot = entry.second;
    return slot.info.devlink.handle == eswitch && slot.state == PortSlot::State::kReady &&
           slot.form == flow::Form::kFlat;
  });
}

Json StatusView(const Agent& agent, const FlowCounts& counts) {
  std::array<std::int64_t, 4> ports{};
  for (const auto& [ifindex, slot] : agent.ports().slots()) ++ports[static_cast<std::size_t>(slot.state)];
  const auto in_state = [&](PortSlot::State state) { return ports[static_cast<std::size_t>(state)]; };
  Json switches = Json::array();
  if (const auto& chosen = agent.chosen_switch()) {
    for (const netlink::DevlinkHandle& eswitch : chosen->eswitches) {
      switches.push_back({{"switch_id", chosen->switch_id},
                          {"devlink", ToString(eswitch)},
                          {"eswitch_mode", "switchdev"},
                          {"chains", HasChains(agent.ports(), eswitch)}});
    }
  }
  Json view;
  view["version"] = DPUFLOW_VERSION;
  view["pid"] = getpid();
  view["uptime_ms"] = MillisecondsSince(agent.started());
  view["kernel"] = KernelRelease();
  view["ready"] = agent.ready();
  view["switches"] = std::move(switches);
  view["ports_ready"] = in_state(PortSlot::State::kReady);
  view["ports_preparing"] = in_state(PortSlot::State::kPreparing) + in_state(PortSlot::State::kReleasing);
  view["ports_refused"] = in_state(PortSlot::State::kRefused);
  view["flows"] = FlowCountsView(counts);
  view["queues"] = QueuesView(agent);
  view["events"] = {{"miss", agent.pipeline().counters().misses}, {"kernel", agent.kernel_events()}};
  if (agent.last_resync()) view["last_resync_ms"] = MillisecondsSince(*agent.last_resync());
  if (agent.last_sync()) view["last_sync_ms"] = MillisecondsSince(*agent.last_sync());
  if (agent.config().audit) view["audit"] = AuditView(agent);
  view["settings"] = SettingsView(agent.config());
  return view;
}

Json PortsView(const Agent& agent, const FlowCounts& counts) {
  std::map<std::uint32_t, PortNumbers> numbers;
  for (const auto& [ifindex, entries] : counts.entries) numbers[ifindex].entries = entries;
  for (const auto& [ifindex, misses] : agent.pipeline().counters().misses_by_port) numbers[ifindex].misses = misses;
  Json ports = Json::array();
  for (const auto& [ifindex, slot] : agent.ports().slots())
    ports.push_back(PortView(slot, numbers[ifindex], agent.ports().SourcesOf(slot)));
  return ports;
}

NameOf Names(const Agent& agent) {
  return [&agent](std::uint32_t ifindex) { return agent.links().Name(ifindex); };
}

// One flow per reply, in order of id. The ids are fixed at the start; flows that have gone since are passed over.
void ListFlows(Agent& agent, FlowFilter filter, Call call) {
  struct List {
    FlowFilter filter;
    NameOf name_of;
    Call call;
    std::vector<flow::FlowId> ids{};
  };
  auto list = std::make_shared<List>(List{std::move(filter), Names(agent), std::move(call)});
  const auto each = [list](const Flow& flow) {
    if (list->filter.Matches(flow, list->name_of)) list->ids.push_back(flow.id);
  };
  const auto done = [list, &agent] {
    std::ranges::sort(list->ids);
    list->call.Stream([&agent, list, next = std::size_t{0}]() mutable -> std::optional<Json> {
      while (next < list->ids.size()) {
        const Flow* flow = agent.pipeline().flows().Find(list->ids[next++]);
        if (flow != nullptr) return Json{{"flow", FlowView(*flow, list->name_of, flow::Clock::now())}};
      }
      return std::nullopt;
    });
  };
  agent.Walk({[list] { list->ids.clear(); }, each, done});
}

void Sync(Agent& agent, const Json& parameters, Call call) {
  const std::int64_t timeout = parameters.value("timeout_ms", kDefaultSyncTimeout);
  if (timeout < 1 || timeout > kMaxSyncTimeout) return call.InvalidParameter("timeout_ms");
  // std::function wants to be copied, and a Call cannot be.
  auto waiting = std::make_shared<Call>(std::move(call));
  agent.Sync(std::chrono::milliseconds(timeout), [waiting, timeout](const SyncReport& report) {
    if (report.complete) {
      waiting->Reply({{"events_read", report.events_read},
                      {"flows_resolved", report.flows_resolved},
                      {"operations_acknowledged", report.operations_acknowledged},
                      {"took_ms", report.took.count()}});
    } else {
      waiting->Error("io.dpuflow.Agent.SyncTimeout", {{"timeout_ms", timeout},
                                                      {"events_pending", report.events_pending},
                                                      {"flows_pending", report.flows_pending},
                                                      {"operations_pending", report.operations_pending}});
    }
  });
}

void Verify(Agent& agent, Call call) {
  auto waiting = std::make_shared<Call>(std::move(call));
  agent.Verify([&agent, waiting](const AuditReport& report) {
    Json differences = Json::array();
    for (const AuditDifference& difference : report.differences) {
      differences.push_back(DifferenceView(difference, Names(agent)));
    }
    Json view = {{"differences", std::move(differences)},
                 {"entries", report.entries},
                 {"flows", report.questions},
                 {"took_ms", report.took.count()}};
    if (!report.incomplete.empty()) view["incomplete"] = report.incomplete;
    waiting->Reply(std::move(view));
  });
}

}  // namespace

void RegisterHandlers(api::Service& service, Agent& agent) {
  const auto method = [&service](const char* name, api::Handler handler) {
    service.Register(fmt::format("io.dpuflow.Agent.{}", name), std::move(handler));
  };
  method("GetStatus", [&agent](const Json&, Call call) {
    Count(agent, [&agent, waiting = std::make_shared<Call>(std::move(call))](const FlowCounts& counts) {
      waiting->Reply(StatusView(agent, counts));
    });
  });
  method("ListPorts", [&agent](const Json&, Call call) {
    Count(agent, [&agent, waiting = std::make_shared<Call>(std::move(call))](const FlowCounts& counts) {
      waiting->Reply({{"ports", PortsView(agent, counts)}});
    });
  });
  method("ListFlows", [&agent](const Json& parameters, Call call) {
    auto filter = ParseFlowFilter(parameters);
    if (!filter) return call.InvalidParameter(filter.error());
    ListFlows(agent, std::move(*filter), std::move(call));
  });
  method("GetFlow", [&agent](const Json& parameters, Call call) {
    const auto id = parameters["id"].get<std::int64_t>();
    const Flow* flow = id > 0 && id <= std::numeric_limits<flow::FlowId>::max()
                           ? agent.pipeline().flows().Find(static_cast<flow::FlowId>(id))
                           : nullptr;
    if (flow == nullptr) return call.Error("io.dpuflow.Agent.NoSuchFlow", {{"id", id}});
    call.Reply({{"flow", FlowView(*flow, Names(agent), flow::Clock::now())}});
  });
  method("FlushFlows", [&agent](const Json& parameters, Call call) {
    const auto filter = ParseFlowFilter(parameters);
    if (!filter) return call.InvalidParameter(filter.error());
    const auto count = agent.Flush([&](const Flow& flow) { return filter->Matches(flow, Names(agent)); });
    call.Reply({{"count", count}});
  });
  method("SetOffload", [&agent](const Json& parameters, Call call) {
    std::optional<std::string> port;
    if (parameters.contains("port")) port = parameters["port"].get<std::string>();
    const auto ports = agent.SetOffload(parameters["on"].get<bool>(), port);
    if (!ports) return call.Error(api::kNoSuchPort, {{"port", *port}});
    call.Reply({{"ports", *ports}});
  });
  method("Explain", [&agent](const Json& parameters, Call call) {
    const auto question = ParsePacket(parameters, agent.ports().slots(), agent.ports().topology());
    if (!question && question.error() == "port") return call.Error(api::kNoSuchPort, {{"port", parameters["port"]}});
    if (!question) return call.InvalidParameter(question.error());
    call.Reply(ExplanationView(agent.Explain(*question), Names(agent), flow::Clock::now()));
  });
  method("Sync", [&agent](const Json& parameters, Call call) { Sync(agent, parameters, std::move(call)); });
  method("Verify", [&agent](const Json&, Call call) { Verify(agent, std::move(call)); });
  method("GetStats", [&agent](const Json&, Call call) {
    Count(agent, [&agent, waiting = std::make_shared<Call>(std::move(call))](const FlowCounts& counts) {
      Json counters = Json::array();
      for (const metrics::Sample& sample : CollectStats(agent, counts)) counters.push_back(SampleView(sample));
      waiting->Reply({{"counters", std::move(counters)}});
    });
  });
}

}  // namespace dpuflow
