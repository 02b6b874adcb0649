// SPDX-License-Identifier: Apache-2.0
#include "bpf/path_lookup.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "bpf/object.h"
#include "bpf/resolve_object.h"
#include "bpf/shared.h"

namespace dpuflow {
namespace {

void Write(const PathQuery& query, dpuflow_lookup& slot) {
  slot = {};
  bpf_fib_lookup& params = slot.params;
  params.family = query.destination.is_v6() ? AF_INET6 : AF_INET;
  params.l4_protocol = query.protocol;
  params.sport = htons(query.source_port);
  params.dport = htons(query.destination_port);
  params.tot_len = query.length;
  params.ifindex = query.ingress;
  // The traffic class is bits 4 to 11 of the first word of an IPv6 header; the flow label after it stays zero.
  if (query.destination.is_v6()) {
    params.flowinfo = htonl(std::uint32_t{query.tos} << 20);
  } else {
    params.tos = query.tos;
  }
  std::ranges::copy(query.source.wire(), reinterpret_cast<std::uint8_t*>(params.ipv6_src));
  std::ranges::copy(query.destination.wire(), reinterpret_cast<std::uint8_t*>(params.ipv6_dst));
}

PathAnswer::Result ToResult(std::int32_t result) {
  using enum PathAnswer::Result;
  switch (result) {
    case BPF_FIB_LKUP_RET_SUCCESS:
      return kForward;
    case BPF_FIB_LKUP_RET_BLACKHOLE:
      return kBlackhole;
    case BPF_FIB_LKUP_RET_UNREACHABLE:
      return kUnreachable;
    case BPF_FIB_LKUP_RET_PROHIBIT:
      return kProhibit;
    case BPF_FIB_LKUP_RET_NOT_FWDED:
      return kLocal;
    case BPF_FIB_LKUP_RET_FWD_DISABLED:
      return kForwardingOff;
    case BPF_FIB_LKUP_RET_UNSUPP_LWT:
      return kTunnel;
    case BPF_FIB_LKUP_RET_NO_NEIGH:
      return kNoNeigh;
    case BPF_FIB_LKUP_RET_FRAG_NEEDED:
      return kTooBig;
    default:
      return kFailed;
  }
}

MacAddress ToMac(const __u8 (&bytes)[6]) {
  MacAddress mac;
  std::ranges::copy(bytes, mac.bytes.begin());
  return mac;
}

IpAddress NextHop(const bpf_fib_lookup& params) {
  if (params.family == AF_INET) return IpAddress::V4(params.ipv4_dst);
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(reinterpret_cast<const std::uint8_t*>(params.ipv6_dst), bytes.size(), bytes.begin());
  return IpAddress::V6(bytes);
}

// Which fields the kernel has written depends on the result; the others still hold the query.
PathAnswer Read(const dpuflow_lookup& slot, bool asked_length) {
  using enum PathAnswer::Result;
  PathAnswer answer;
  answer.result = ToResult(slot.result);
  if (answer.result == kFailed) answer.error = slot.result < 0 ? -slot.result : EPROTO;
  if (answer.result == kForward || answer.result == kNoNeigh) {
    answer.egress = slot.params.ifindex;
    answer.next_hop = NextHop(slot.params);
  }
  if (answer.result == kForward) {
    answer.source_mac = ToMac(slot.params.smac);
    answer.destination_mac = ToMac(slot.params.dmac);
  }
  if (answer.result == kTooBig || (answer.result == kForward && asked_length)) answer.mtu = slot.params.mtu_result;
  return answer;
}

constexpr std::array<std::string_view, 10> kResultWords{"forward",   "no_neigh",    "too_big",  "local",
                                                        "blackhole", "unreachable", "prohibit", "forwarding_off",
                                                        "tunnel",    "failed"};

}  // namespace

std::string_view ToString(PathAnswer::Result result) {
  const auto index = static_cast<std::size_t>(result);
  return index < kResultWords.size() ? kResultWords[index] : "unknown";
}

struct PathLookup::State {
  explicit State(bpf::Object owned) : object(std::move(owned)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (batch != nullptr) munmap(batch, sizeof(*batch));
  }

  Result<void> Map() {
    const auto found = object.ProgramFd("dpuflow_resolve");
    if (!found) return tl::make_unexpected(found.error());
    program = *found;
    const auto map = object.MapFd("lookups");
    if (!map) return tl::make_unexpected(map.error());
    void* memory = mmap(nullptr, sizeof(*batch), PROT_READ | PROT_WRITE, MAP_SHARED, *map, 0);
    if (memory == MAP_FAILED) return ErrnoError("map the path lookups into memory");
    batch = static_cast<dpuflow_batch*>(memory);
    return {};
  }

  // Has the kernel answer the first `count` slots.
  Result<void> Run(std::size_t count) const {
    std::array<std::uint8_t, 64> packet{};
    __sk_buff context{};
    context.cb[0] = static_cast<std::uint32_t>(count);
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = packet.data();
    options.data_size_in = packet.size();
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
    options.repeat = 1;
    const int code = -bpf_prog_test_run_opts(program, &options);
    if (code != 0) return MakeError(code, "run the path lookups");
    if (options.retval != TC_ACT_OK) return MakeError(EPROTO, "run the path lookups", "the program did not finish");
    return {};
  }

  bpf::Object object;
  int program = -1;
  dpuflow_batch* batch = nullptr;
};

PathLookup::PathLookup(std::unique_ptr<State> state) : state_(std::move(state)) {}
PathLookup::PathLookup(PathLookup&&) noexcept = default;
PathLookup& PathLookup::operator=(PathLookup&&) noexcept = default;
PathLookup::~PathLookup() = default;

Result<PathLookup> PathLookup::Load() {
  auto object = bpf::Object::Open("path lookup", kResolveObject);
  if (!object) return tl::make_unexpected(object.error());
  if (auto loaded = object->Load(); !loaded) return tl::make_unexpected(loaded.error());
  auto state = std::make_unique<State>(std::move(*object));
  if (auto mapped = state->Map(); !mapped) return tl::make_unexpected(mapped.error());
  return PathLookup(std::move(state));
}

Result<void> PathLookup::Ask(std::span<const PathQuery> queries, std::span<PathAnswer> answers) {
  if (answers.size() < queries.size()) return MakeError(EINVAL, "look up paths", "fewer answers than queries");
  for (std::size_t first = 0; first < queries.size(); first += DPUFLOW_BATCH) {
    const auto batch = queries.subspan(first, std::min<std::size_t>(DPUFLOW_BATCH, queries.size() - first));
    for (std::size_t i = 0; i < batch.size(); ++i) Write(batch[i], state_->batch->slots[i]);
    if (auto run = state_->Run(batch.size()); !run) return run;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      answers[first + i] = Read(state_->batch->slots[i], batch[i].length != 0);
    }
  }
  return {};
}

}  // namespace dpuflow
