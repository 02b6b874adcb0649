// SPDX-License-Identifier: Apache-2.0
//
// The resolver asks the kernel what it would do with a packet: for many packets at once, and without a table of its own.
//
// Where a bridge sends a packet is not asked: bridging.h answers from what is mirrored. For packets that are routed, one
// BPF_PROG_RUN carries the path lookups of a batch, one sendmsg() its RTM_GETROUTEs. Neither takes rtnl, so this
// runs on the loop's thread; a batch of 64 costs a few hundred microseconds. An answer can be outdated when it arrives:
// the change that made it so is announced, and dirties the flow again.
#pragma once

#include <span>
#include <vector>

#include "agent/kernel/decision.h"
#include "bpf/classifier.h"
#include "netlink/socket.h"

namespace dpuflow::kernel {

// All that the kernel says about one packet.
struct Insight {
  PathAnswer path;                                 // of a packet that fits, however small the MTU
  Result<netlink::Route> route{netlink::Route{}};  // the one that matched; neither is said of a packet that is bridged
  flow::Answer answer;                             // what follows for its flow, which carries large packets too

  bool operator==(const Insight&) const = default;
};

class Resolver {
 public:
  // `classifier` has the lookup program; it outlives the resolver.
  static Result<Resolver> Open(Classifier& classifier, DecisionSettings settings);

  // One answer per question, in order. A lookup that could not be made is answered with kSoftware.
  std::vector<flow::Answer> Resolve(std::span<const flow::Question> questions, const DecisionContext& context);
  // The same for people, with what the answer comes from.
  Insight Inspect(const flow::Question& question, const DecisionContext& context);
  // Looks the paths up as forwarding would, and forgets them: for what a lookup leaves behind in the kernel (bucket_keeper.h).
  void LookUp(std::span<const flow::Question> questions, const DecisionContext& context);

 private:
  Resolver(Classifier& classifier, netlink::Socket socket, DecisionSettings settings)
      : classifier_(&classifier), socket_(std::move(socket)), settings_(settings) {}
  std::vector<flow::Answer> ResolveRouted(std::span<const flow::Question> questions, const DecisionContext& context);
  std::vector<flow::Answer> ResolveBridged(std::span<const flow::Question> questions, const DecisionContext& context);
  [[nodiscard]] PathQuery QueryOf(const flow::Miss& miss, const DecisionContext& context) const;
  std::vector<PathAnswer> LookUpPaths(std::span<const PathQuery> queries);
  std::vector<Result<netlink::Route>> AskRoutes(std::span<const flow::Question> questions, const Topology& topology);

  Classifier* classifier_;
  netlink::Socket socket_;
  DecisionSettings settings_;
};

}  // namespace dpuflow::kernel
