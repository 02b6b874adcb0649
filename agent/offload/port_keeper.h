// SPDX-License-Identifier: Apache-2.0
//
// What the agent does to a port besides its entries: qdisc, classifier, what an earlier run left, counters. All of it takes
// rtnl, which a driver may hold for seconds, so it runs on a thread of the backend.
//
// Rules of the house: a clsact or `ingress` qdisc that is there is used as it is; nothing is touched that does not carry
// our cookie (filters) or our name (classifier); what fails is undone.
//
// The classifier is attached by tcx where the kernel has it (6.6), else as a cls_bpf filter in each chain: there a packet
// that missed in chain N may come up with N on it (NET_TC_SKB_EXT), and tc then goes on in N. What a process leaves which
// ends without taking it down goes on working, and the next one takes it over: entries that are as they should be stay, and
// the classifier gets its own program without a gap. A tcx link does so where a service manager keeps it; else it ends with
// the process.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/offload/backend.h"
#include "bpf/tcx.h"
#include "netlink/flower.h"
#include "netlink/socket.h"

namespace dpuflow::offload {

class PortKeeper {
 public:
  // `program` is the classifier's descriptor, borrowed. Before there are threads.
  static Result<PortKeeper> Open(int program);

  // Errors: `extack` holds the sentence to show, `hint` the command that mends it.
  struct Refusal {
    std::string sentence;
    std::string hint;
  };
  struct Prepared {
    flow::Form form = flow::Form::kChained;
    std::vector<Expected> standing;  // entries of an earlier run, in this form and in hardware
  };
  // `peer` as Backend::Prepare has it.
  tl::expected<Prepared, Refusal> Prepare(std::uint32_t port, const std::string& name, std::uint32_t peer);

  Result<void> TryRoute(std::uint32_t port, flow::Form form, std::uint32_t peer);  // as Backend::TryRoute

  // Entries, classifier, and a clsact of ours unless something foreign stands on it. A port that is gone is done.
  Result<void> Release(std::uint32_t port);

  Result<flow::Sweep> ReadCounters(std::uint32_t port, flow::PacketKinds kinds);

  // What differs on the port from `expected`. A filter of the classifier that is missing is put back, and told.
  Result<std::vector<Difference>> Audit(std::uint32_t port, flow::Form form, std::vector<Expected> expected);
  // One that is gone already is done.
  Result<void> RemoveStray(const netlink::FilterId& id);

 private:
  PortKeeper(netlink::Socket socket, int program) : socket_(std::move(socket)), program_(program) {}
  void TakeKeptLinks();
  // A qdisc that the filters of the port can hang on: clsact, or a plain `ingress`, where ffff:fff2 leads to the same filters.
  tl::expected<void, Refusal> EnsureFooting(std::uint32_t port, const std::string& name);
  // The form in which the port's driver takes entries.
  tl::expected<flow::Form, Refusal> Probe(std::uint32_t port, const std::string& name, std::uint32_t peer);
  Result<void> TryJumps(std::uint32_t port, const std::string& name);
  Result<void> Try(const flow::Rule& rule, const std::string& name);
  // Entries of an earlier run that are as they should be; the others are removed.
  Result<std::vector<Expected>> TakeOver(std::uint32_t port);
  Result<void> AttachClassifier(std::uint32_t port, flow::Form form);
  void Detach(std::uint32_t port);  // from tcx
  Result<void> AttachByFilters(std::uint32_t port, flow::Form form);
  // `in_place`: one of an earlier run stands there, and gets this program.
  Result<void> AttachByFilter(std::uint32_t port, std::uint32_t chain, bool in_place);
  // The chains of the classifier's filters that are there; all of them where it is attached by tcx.
  Result<std::set<std::uint32_t>> ClassifierChains(std::uint32_t port, flow::Form form);
  bool IsThereAfterAll(const Difference& difference);

  netlink::Socket socket_;
  int program_;
  std::map<std::uint32_t, bpf::TcxLink> links_;  // by port
};

}  // namespace dpuflow::offload
