// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/notify.h"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace dpuflow {
namespace {

// The protocol is lines of NAME=VALUE: a line end in the value would begin another name.
std::string StatusLine(std::string_view status) {
  std::string line = fmt::format("STATUS={}", status);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// A manager that does not listen is no reason to stop serving: the result of sd_notify is not looked at.
void Send(const std::string& state) { sd_notify(0, state.c_str()); }

}  // namespace

Result<ServiceManager> ServiceManager::Create(EventLoop& loop) {
  ServiceManager manager;
  std::uint64_t microseconds = 0;
  const int r = sd_watchdog_enabled(0, &microseconds);
  if (r < 0) return MakeError(-r, "read WATCHDOG_USEC");
  if (r == 0) return manager;
  // A third leaves room for one keep-alive to be late.
  manager.watchdog_period_ = std::chrono::microseconds(std::max<std::uint64_t>(microseconds / 3, 1));
  auto timer = loop.AddTimer(*manager.watchdog_period_, [](EventLoop::TimePoint) { Send("WATCHDOG=1"); });
  if (!timer) return tl::make_unexpected(std::move(timer.error()));
  manager.watchdog_ = std::move(*timer);
  return manager;
}

void ServiceManager::Ready(std::string_view status) { Send("READY=1\n" + StatusLine(status)); }
void ServiceManager::Status(std::string_view status) { Send(StatusLine(status)); }
void ServiceManager::Stopping() { Send("STOPPING=1"); }

}  // namespace dpuflow
