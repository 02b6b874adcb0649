// SPDX-License-Identifier: Apache-2.0
//
// What the classifier is told: which lanes take part, where routing sees them enter, and by which port an interface sends;
// how it is to tell flows apart, and what it cannot see for itself.
//
// The whole is made anew from what is current and compared with what was told last, so that no event has a way of its own.
// Lives on the loop.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "agent/daemon/config.h"
#include "agent/kernel/decision.h"
#include "agent/port_manager.h"
#include "bpf/classifier.h"

namespace dpuflow {

// Lanes and interfaces of the ports that take part.
struct ClassifierView {
  std::map<Lane, IngressEntry> ingresses;
  std::map<std::uint32_t, EgressEntry> egresses;  // by ifindex of the interface

  bool operator==(const ClassifierView&) const = default;
};
[[nodiscard]] ClassifierView ViewOf(const PortManager& ports, const kernel::ForwardPath& forward_path,
                                    bool respect_netfilter);

// `before` as it is to be from now on.
[[nodiscard]] ClassifierSettings SettingsOf(const ClassifierSettings& before, const kernel::DecisionContext& context,
                                            bool ipv6_forwarding, bool respect_netfilter);

class ClassifierFeed {
 public:
  explicit ClassifierFeed(Classifier& classifier) : classifier_(classifier) {}

  // Tells what differs. What could not be told is tried again by the next call; returns why.
  std::vector<Error> Tell(const ClassifierView& wanted);
  Result<void> Tell(const ClassifierSettings& wanted);

 private:
  Classifier& classifier_;
  ClassifierView told_;
};

}  // namespace dpuflow
