// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/gc.h"

#include <cerrno>
#include <map>
#include <utility>

#include "agent/ctl/format.h"
#include "agent/ctl/json_field.h"
#include "agent/daemon/lock.h"
#include "agent/offload/removal.h"
#include "netlink/rtnl.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

// By netlink, since if_indextoname(3) takes a socket of a family that a unit may not open.
Result<std::map<std::uint32_t, std::string>> ReadNames(netlink::Socket& socket) {
  netlink::MessageBuffer request;
  netlink::AppendLinkDump(request, socket.NextSeq());
  auto links = socket.Collect(request, "list links", netlink::ParseLink);
  if (!links) return tl::make_unexpected(links.error());
  std::map<std::uint32_t, std::string> names;
  for (netlink::Link& link : *links) names.emplace(link.ifindex, std::move(link.name));
  return names;
}

Result<Json> RemoveEverywhere() {
  auto socket = netlink::Socket::Open({});
  if (!socket) return tl::make_unexpected(socket.error());
  const auto devices = offload::ListDevices(*socket);
  if (!devices) return tl::make_unexpected(devices.error());
  const auto names = ReadNames(*socket);
  if (!names) return tl::make_unexpected(names.error());
  Json done = Json::array();
  Json failures = Json::array();
  for (const std::uint32_t ifindex : *devices) {
    const auto known = names->find(ifindex);
    const std::string name = known == names->end() ? fmt::format("ifindex {}", ifindex) : known->second;
    const auto removed = offload::RemoveOurs(*socket, ifindex);
    if (!removed && removed.error().code == EPERM) return tl::make_unexpected(removed.error());
    if (!removed) {
      failures.push_back({{"name", name}, {"error", ToString(removed.error())}});
    } else if (!removed->nothing()) {
      done.push_back({{"name", name},
                      {"entries", removed->entries},
                      {"classifier", removed->classifiers > 0},
                      {"clsact", removed->clsact}});
    }
  }
  return Json{{"state", "done"}, {"devices", done}, {"failures", failures}};
}

}  // namespace

Result<Json> CollectGarbage(bool now) {
  const auto lock = InstanceLock::TakeAfter(kInstanceLockPath);
  if (!lock && lock.error().code == EBUSY) return Json{{"state", "running"}, {"holder", lock.error().extack}};
  if (!lock) return tl::make_unexpected(lock.error());
  if (!now) {
    const auto last = lock->ReadLast();
    if (!last) return tl::make_unexpected(last.error());
    // A time that lies ahead is one of a clock that has been set: it says nothing.
    if (last->ago.count() >= 0 && last->ago < last->orphan_timeout) {
      return Json{{"state", "waiting"},
                  {"ended_ms_ago", last->ago.count()},
                  {"orphan_timeout_ms", last->orphan_timeout.count()}};
    }
  }
  return RemoveEverywhere();
}

std::string ShowGarbage(const Json& report) {
  const std::string state = Text(report, "state");
  if (state == "running") return "dpuflowd is running: " + Text(report, "holder") + "; nothing is removed\n";
  if (state == "waiting") {
    return "dpuflowd has ended " + FormatTime(Number(report, "ended_ms_ago")) + " ago; what it left may stand for " +
           FormatTime(Number(report, "orphan_timeout_ms")) + " (--now: remove it at once)\n";
  }
  std::string text;
  for (const Json& device : Field(report, "devices")) {
    text += Text(device, "name") + ": removed " + Plural(Number(device, "entries"), "filter");
    if (Field(device, "classifier") == true) text += ", the classifier";
    if (Field(device, "clsact") == true) text += ", clsact";
    text += "\n";
  }
  for (const Json& failure : Field(report, "failures")) {
    text += Text(failure, "name") + ": " + Text(failure, "error") + "\n";
  }
  return text.empty() ? "nothing was left\n" : text;
}

}  // namespace dpuflow::ctl
