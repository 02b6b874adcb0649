// SPDX-License-Identifier: Apache-2.0
//
// What the daemon tells the service manager (sd_notify(3)). Without a manager (NOTIFY_SOCKET unset) all of it is a
// no-op. The loop's thread only.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "agent/daemon/event_loop.h"
#include "netlink/error.h"

namespace dpuflow {

class ServiceManager {
 public:
  // When the manager asked for keep-alive messages (WATCHDOG_USEC and WATCHDOG_PID of sd_watchdog_enabled(3)), a timer
  // of the loop sends one every third of that time: a loop that stands still gets the daemon restarted. `loop` must
  // outlive it.
  [[nodiscard]] static Result<ServiceManager> Create(EventLoop& loop);

  void Ready(std::string_view status);   // READY=1: started, with a first STATUS=
  void Status(std::string_view status);  // STATUS=: one line, shown by systemctl status
  void Stopping();                       // STOPPING=1

  // How often keep-alive messages are sent; nothing when they are not asked for.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_period() const { return watchdog_period_; }

 private:
  ServiceManager() = default;
  std::optional<std::chrono::microseconds> watchdog_period_;
  EventSource watchdog_;
};

}  // namespace dpuflow
