// SPDX-License-Identifier: Apache-2.0
//
// dpuflowd: the wiring diagram. Configuration, loop, agent, API; then the loop runs until a signal ends it.
#include <malloc.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdio>

#include "agent/agent.h"
#include "agent/api/server.h"
#include "agent/daemon/capabilities.h"
#include "agent/daemon/command_line.h"
#include "agent/daemon/config.h"
#include "agent/daemon/event_loop.h"
#include "agent/daemon/lock.h"
#include "agent/daemon/log.h"
#include "agent/daemon/notify.h"
#include "agent/handlers.h"

namespace dpuflow {
namespace {

constexpr std::chrono::seconds kAliveEvery{1};  // the lock file says how long ago the last daemon lived

// Everything that can fail at the start, as one sentence.
Result<int> Run(const Config& config) {
  if (auto capable = CheckCapabilities(); !capable) return tl::make_unexpected(capable.error());
  auto lock = InstanceLock::Take(kInstanceLockPath, config.orphan_timeout);
  if (!lock) return tl::make_unexpected(lock.error());
  auto loop = EventLoop::Create();
  if (!loop) return tl::make_unexpected(loop.error());
  auto alive = (*loop)->AddTimer(kAliveEvery, [&](EventLoop::TimePoint) { lock->Touch(); });
  if (!alive) return tl::make_unexpected(alive.error());
  auto manager = ServiceManager::Create(**loop);
  if (!manager) return tl::make_unexpected(manager.error());

  // Before the agent starts its threads, so that they inherit the blocked signals. There may be no agent yet.
  Agent* running = nullptr;
  const auto stop = [&](int signal) {
    log::Info({}, "stopping on {}", sigabbrev_np(signal));
    manager->Stopping();
    if (running == nullptr) return (*loop)->Quit(0);
    running->Stop([&](bool clean) { (*loop)->Quit(clean ? 0 : 1); });
    running = nullptr;  // a second signal ends at once
  };
  auto terminate = (*loop)->AddSignal(SIGTERM, stop);
  if (!terminate) return tl::make_unexpected(terminate.error());
  auto interrupt = (*loop)->AddSignal(SIGINT, stop);
  if (!interrupt) return tl::make_unexpected(interrupt.error());
  // For a restart: what stands goes on working, and the next start takes it over.
  auto leave = (*loop)->AddSignal(SIGUSR1, [&](int) {
    log::Info({}, "ending; what stands is left to the next start");
    manager->Stopping();
    (*loop)->Quit(0);
  });
  if (!leave) return tl::make_unexpected(leave.error());

  auto agent = Agent::Start(config, **loop);
  if (!agent) return tl::make_unexpected(agent.error());
  running = agent->get();

  api::Service service({"dpuflow", "dpuflowd", DPUFLOW_VERSION, "https://github.com/dpuflow/dpuflow"});
  RegisterHandlers(service, **agent);
  api::ServerOptions options;
  options.socket_path = config.socket;
  api::Server server(service, (*loop)->raw(), options);
  if (auto listening = server.Listen(); !listening) return tl::make_unexpected(listening.error());

  (*agent)->OnReady([&] {
    const std::size_t ports = (*agent)->ports().slots().size();
    manager->Ready(fmt::format("{} ports", ports));
    log::Info({}, "ready, {} ports", ports);
  });
  return (*loop)->Run();
}

// Some files stay open for each port. What the usual limit is for, select(2), is not used here (systemd.exec(5), LimitNOFILE=).
void AllowManyFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

// What is large, as lists of all flows are, goes back to the system when it is freed. By itself the limit grows with what has been
// freed, and then a list of a moment remains part of the process: 150 bytes for each of 50,000 flows.
void KeepNoLargePieces() {
  constexpr int kLarge = 128 * 1024;  // bytes; the limit that mallopt(3) says it starts from
  mallopt(M_MMAP_THRESHOLD, kLarge);
}

// For a service manager (ExecCondition=): there is a switch to serve, or there is nothing to do here.
int FindSwitch(const Config& config) {
  const auto chosen = kernel::ReadDevlink().and_then(
      [&](const kernel::DevlinkState& state) { return kernel::ChooseSwitch(state.eswitches, config.devlink); });
  if (!chosen) {
    log::Notice({}, "{}", chosen.error());
    return 1;
  }
  for (const netlink::DevlinkHandle& handle : chosen->eswitches) fmt::print("{}\n", netlink::ToString(handle));
  return 0;
}

int Main(int argc, char** argv) {
  const auto options = ParseCommandLine(argc, argv);
  if (!options) {
    fmt::print(stderr, "dpuflowd: {}\n", options.error().extack);
    return kExitUsage;
  }
  if (options->action == Options::Action::kPrint) {
    fmt::print("{}", options->text);
    return 0;
  }
  const auto config = LoadConfig(*options);
  if (!config) {
    for (const ConfigProblem& problem : config.error()) fmt::print(stderr, "dpuflowd: {}\n", ToString(problem));
    return kExitUsage;
  }
  if (options->action == Options::Action::kCheck) return 0;
  log::Init(config->log_level);
  if (options->action == Options::Action::kFindSwitch) return FindSwitch(*config);
  AllowManyFiles();
  KeepNoLargePieces();
  const auto code = Run(*config);
  if (code) return *code;
  log::Error({{"ERRNO", code.error().code}}, "{}", code.error());
  return 1;
}

}  // namespace
}  // namespace dpuflow

int main(int argc, char** argv) { return dpuflow::Main(argc, argv); }
