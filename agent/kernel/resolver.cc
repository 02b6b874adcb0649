// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/resolver.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "agent/kernel/bridging.h"
#include "netlink/rtnl.h"

namespace dpuflow::kernel {
namespace {

constexpr int kMoreAttempts = 2;  // where the two answers contradict each other

// The interface at which routing sees the packet enter. 0, which no interface has, where there is none any more.
std::uint32_t IngressOf(const flow::Miss& miss, const Topology& topology) {
  const L3Interface* interface = topology.At(miss.lane());
  return interface == nullptr ? 0 : interface->ifindex;
}

}  // namespace

Result<Resolver> Resolver::Open(Classifier& classifier, DecisionSettings settings) {
  netlink::SocketOptions options;
  options.receive_buffer = 4 << 20;
  auto socket = netlink::Socket::Open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  return Resolver(classifier, std::move(*socket), settings);
}

std::vector<flow::Answer> Resolver::Resolve(std::span<const flow::Question> questions, const DecisionContext& context) {
  std::vector<flow::Question> routed, bridged;
  std::vector<std::size_t> places_of_routed, places_of_bridged;  // among all
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const bool is_bridged = IsBridged(questions[i].miss, context.topology);
    (is_bridged ? bridged : routed).push_back(questions[i]);
    (is_bridged ? places_of_bridged : places_of_routed).push_back(i);
  }
  std::vector<flow::Answer> answers(questions.size());
  std::vector<flow::Answer> asked = ResolveRouted(routed, context);
  for (std::size_t i = 0; i < asked.size(); ++i) answers[places_of_routed[i]] = std::move(asked[i]);
  asked = ResolveBridged(bridged, context);
  for (std::size_t i = 0; i < asked.size(); ++i) answers[places_of_bridged[i]] = std::move(asked[i]);
  return answers;
}

std::vector<flow::Answer> Resolver::ResolveBridged(std::span<const flow::Question> questions,
                                                   const DecisionContext& context) {
  std::vector<flow::Question> at_interface;
  for (const flow::Question& question : questions) {
    if (context.topology.At(question.miss.lane()) != nullptr) at_interface.push_back(question);
  }
  const std::vector<Result<netlink::Route>> routes = AskRoutes(at_interface, context.topology);
  std::vector<flow::Answer> answers;
  auto route = routes.begin();
  for (const flow::Question& question : questions) {
    const bool asked = context.topology.At(question.miss.lane()) != nullptr;
    answers.push_back(DecideBridged(question, asked ? &*route++ : nullptr, context, settings_));
  }
  return answers;
}

std::vector<flow::Answer> Resolver::ResolveRouted(std::span<const flow::Question> questions,
                                                  const DecisionContext& context) {
  if (questions.empty()) return {};
  std::vector<PathQuery> queries;
  queries.reserve(questions.size());
  for (const flow::Question& question : questions) queries.push_back(QueryOf(question.miss, context));
  std::vector<PathAnswer> paths = LookUpPaths(queries);
  std::vector<Result<netlink::Route>> routes = AskRoutes(questions, context.topology);
  for (int attempt = 0; attempt < kMoreAttempts; ++attempt) {
    for (std::size_t i = 0; i < questions.size(); ++i) {
      if (!Contradict(paths[i], routes[i])) continue;
      paths[i] = LookUpPaths(std::span(queries).subspan(i, 1)).front();
      routes[i] = std::move(AskRoutes(questions.subspan(i, 1), context.topology).front());
    }
  }
  std::vector<flow::Answer> answers;
  answers.reserve(questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    answers.push_back(Decide(questions[i], paths[i], routes[i], context, settings_));
  }
  return answers;
}

Insight Resolver::Inspect(const flow::Question& question, const DecisionContext& context) {
  Insight insight;
  if (IsBridged(question.miss, context.topology)) {
    insight.answer = std::move(ResolveBridged(std::span(&question, 1), context).front());
    return insight;
  }
  const PathQuery query = QueryOf(question.miss, context);
  PathQuery small = query;
  small.length = 0;
  std::vector<PathAnswer> paths;
  for (int attempt = 0; attempt <= kMoreAttempts; ++attempt) {
    paths = LookUpPaths(std::array{query, small});
    insight.route = std::move(AskRoutes(std::span(&question, 1), context.topology).front());
    if (!Contradict(paths[0], insight.route)) break;
  }
  insight.path = paths[1];
  insight.path.mtu = paths[0].mtu;
  insight.answer = Decide(question, paths[0], insight.route, context, settings_);
  return insight;
}

void Resolver::LookUp(std::span<const flow::Question> questions, const DecisionContext& context) {
  std::vector<PathQuery> queries;
  queries.reserve(questions.size());
  for (const flow::Question& question : questions) queries.push_back(QueryOf(question.miss, context));
  (void)LookUpPaths(queries);
}

PathQuery Resolver::QueryOf(const flow::Miss& miss, const DecisionContext& context) const {
  PathQuery query;
  query.ingress = IngressOf(miss, context.topology);
  query.source = miss.source;
  query.destination = miss.destination;
  query.protocol = miss.protocol;
  query.source_port = miss.source_port;
  query.destination_port = miss.destination_port;
  query.tos = miss.tos;
  const auto port = context.ports.find(miss.port);
  // The entry will carry every packet to this destination, so the largest one has to fit.
  if (!settings_.trust_size && port != context.ports.end()) {
    query.length = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(port->second.largest_packet, std::numeric_limits<std::uint16_t>::max()));
  }
  return query;
}

std::vector<PathAnswer> Resolver::LookUpPaths(std::span<const PathQuery> queries) {
  std::vector<PathAnswer> answers(queries.size());
  if (auto asked = classifier_->ResolveBatch(queries, answers); !asked) {
    PathAnswer failed;
    failed.error = asked.error().code;
    std::ranges::fill(answers, failed);
  }
  return answers;
}

std::vector<Result<netlink::Route>> Resolver::AskRoutes(std::span<const flow::Question> questions,
                                                        const Topology& topology) {
  netlink::MessageBuffer requests;
  for (const flow::Question& question : questions) {
    netlink::RouteQuery query;
    query.destination = question.miss.destination;
    query.source = question.miss.source;
    query.iif = IngressOf(question.miss, topology);
    query.tos = question.miss.tos;
    if (CanBeAsked(question.miss.protocol)) {
      query.ip_protocol = question.miss.protocol;
      query.source_port = question.miss.source_port;
      query.destination_port = question.miss.destination_port;
    }
    query.fib_match = true;
    netlink::AppendRouteQuery(requests, socket_.NextSeq(), query);
  }
  std::vector<Result<netlink::Route>> routes;
  routes.reserve(questions.size());
  for (const Result<netlink::Message>& answer : socket_.AskBatch(requests, "ask for a route")) {
    if (!answer) {
      routes.emplace_back(tl::make_unexpected(answer.error()));
    } else if (auto route = netlink::ParseRoute(answer->header()); route) {
      routes.emplace_back(std::move(route->value));
    } else {
      routes.emplace_back(tl::make_unexpected(route.error()));
    }
  }
  return routes;
}

}  // namespace dpuflow::kernel
