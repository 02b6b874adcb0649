// SPDX-License-Identifier: Apache-2.0
#include "bpf/classifier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "bpf/classifier_object.h"
#include "bpf/object.h"

namespace dpuflow {
namespace {

constexpr std::uint32_t kOnly = 0;  // the key of a map with one element
constexpr std::uint32_t kProtocols = DPUFLOW_PROTOCOL_COUNT;
constexpr std::uint32_t kCounters = DPUFLOW_VERDICT_COUNT * kProtocols;

// EEXIST and the like cannot come: BPF_ANY adds or replaces.
Result<void> Update(int map, const void* key, const void* value, std::string doing) {
  const int code = -bpf_map_update_elem(map, key, value, BPF_ANY);
  if (code == 0) return {};
  return MakeError(code, std::move(doing), code == E2BIG ? "the classifier's map is full" : "");
}

Result<void> Remove(int map, const void* key, std::string doing) {
  const int code = -bpf_map_delete_elem(map, key);
  if (code == 0 || code == ENOENT) return {};
  return MakeError(code, std::move(doing));
}

MacAddress ToMac(const __u8 (&bytes)[6]) {
  MacAddress mac;
  std::ranges::copy(bytes, mac.bytes.begin());
  return mac;
}

IpAddress ToAddress(std::uint8_t family, const __u32 (&words)[4]) {
  if (family == AF_INET) return IpAddress::V4(words[0]);
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(reinterpret_cast<const std::uint8_t*>(words), bytes.size(), bytes.begin());
  return IpAddress::V6(bytes);
}

MissEvent ToEvent(const dpuflow_miss& miss) {
  MissEvent event;
  event.time = std::chrono::nanoseconds(miss.ktime_ns);
  event.verdict = static_cast<Verdict>(miss.verdict);
  event.port = miss.key.ifindex;
  event.vlan = miss.key.vlan;
  event.vlan_priority = miss.key.vlan_priority;
  event.ethertype = miss.key.ethertype;
  event.source_mac = ToMac(miss.key.smac);
  event.destination_mac = ToMac(miss.key.dmac);
  event.source = ToAddress(miss.family, miss.key.saddr);
  event.destination = ToAddress(miss.family, miss.key.daddr);
  event.protocol = miss.protocol;
  event.source_port = miss.sport;
  event.destination_port = miss.dport;
  event.tos = miss.tos;
  event.length = miss.length;
  return event;
}

dpuflow_lane LaneKey(const Lane& lane) { return {.ifindex = lane.port, .vlan = lane.vlan, .reserved = 0}; }

std::string Describe(const Lane& lane) {
  return lane.vlan == DPUFLOW_UNTAGGED ? fmt::format("port {}", lane.port)
                                       : fmt::format("port {}, VLAN {}", lane.port, lane.vlan);
}

dpuflow_source_key SourceKey(const Lane& lane, const IpAddress& address) {
  dpuflow_source_key key{};
  key.ifindex = lane.port;
  key.vlan = lane.vlan;
  key.family = static_cast<std::uint8_t>(address.family());
  std::ranges::copy(address.wire(), reinterpret_cast<std::uint8_t*>(key.address));
  return key;
}

// What the callback of the ring works on during one DrainMisses().
struct Drain {
  const std::function<void(const MissEvent&)>* consume = nullptr;
  std::size_t left = 0;
};

// A negative answer ends the round after this event, which is taken all the same.
int OnEvent(void* context, void* data, std::size_t size) {
  auto& drain = *static_cast<Drain*>(context);
  if (size >= sizeof(dpuflow_miss)) (*drain.consume)(ToEvent(*static_cast<const dpuflow_miss*>(data)));
  return --drain.left == 0 ? -ECANCELED : 0;
}

struct RingCloser {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

}  // namespace

struct Classifier::State {
  State(bpf::Object owned, PathLookup paths) : object(std::move(owned)), lookup(std::move(paths)) {}

  Result<void> Find() {
    const std::array<std::pair<const char*, int*>, 8> maps{{{"ingresses", &ingresses},
                                                            {"egresses", &egresses},
                                                            {"sources", &sources},
                                                            {"reported", &reported},
                                                            {"misses", &misses},
                                                            {"counters", &counters},
                                                            {"reports", &reports},
                                                            {"settings", &settings_map}}};
    for (const auto& [name, fd] : maps) {
      const auto found = object.MapFd(name);
      if (!found) return tl::make_unexpected(found.error());
      *fd = *found;
    }
    const auto found = object.ProgramFd("dpuflow_class");
    if (!found) return tl::make_unexpected(found.error());
    program = *found;
    return {};
  }

  Result<void> OpenRing() {
    ring.reset(ring_buffer__new(misses, &OnEvent, &drain, nullptr));
    if (!ring) return ErrnoError("open the classifier's ring buffer");
    return {};
  }

  Result<void> Set(const ClassifierSettings& wanted) {
    dpuflow_settings value{};
    value.report_window_ns = report_window_ns;
    value.flags = (wanted.forward ? DPUFLOW_SETTING_FORWARD : 0) | (wanted.report ? DPUFLOW_SETTING_REPORT : 0) |
                  (wanted.ipv6_forwarding ? DPUFLOW_SETTING_IPV6 : 0) |
                  (wanted.stack_only_v4 ? DPUFLOW_SETTING_STACK_ONLY_V4 : 0) |
                  (wanted.stack_only_v6 ? DPUFLOW_SETTING_STACK_ONLY_V6 : 0) |
                  (wanted.by_ports ? DPUFLOW_SETTING_BY_PORTS : 0) | (wanted.by_tos ? DPUFLOW_SETTING_BY_TOS : 0);
    auto updated = Update(settings_map, &kOnly, &value, "change the classifier's settings");
    if (updated) settings = wanted;
    return updated;
  }

  bpf::Object object;
  PathLookup lookup;
  Drain drain;
  std::unique_ptr<ring_buffer, RingCloser> ring;
  std::uint64_t report_window_ns = 0;
  ClassifierSettings settings{};
  int program = -1, ingresses = -1, egresses = -1, sources = -1, reported = -1, misses = -1, counters = -1,
      reports = -1, settings_map = -1;
};

Classifier::Classifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;
Classifier::~Classifier() = default;

Result<Classifier> Classifier::Load(const Options& options) {
  auto object = bpf::Object::Open("classifier", kClassifierObject);
  if (!object) return tl::make_unexpected(object.error());
  const std::array<std::pair<const char*, std::uint32_t>, 5> sizes{{{"ingresses", options.max_interfaces},
                                                                    {"egresses", options.max_interfaces},
                                                                    {"sources", options.max_sources},
                                                                    {"reported", options.max_reported},
                                                                    {"misses", options.ring_bytes}}};
  for (const auto& [map, entries] : sizes) {
    if (auto sized = object->SetMaxEntries(map, entries); !sized) return tl::make_unexpected(sized.error());
  }
  if (auto loaded = object->Load(); !loaded) return tl::make_unexpected(loaded.error());
  auto lookup = PathLookup::Load();
  if (!lookup) return tl::make_unexpected(lookup.error());

  auto state = std::make_unique<State>(std::move(*object), std::move(*lookup));
  state->report_window_ns = static_cast<std::uint64_t>(options.report_window.count());
  auto ready =
      state->Find().and_then([&] { return state->OpenRing(); }).and_then([&] { return state->Set(options.settings); });
  if (!ready) return tl::make_unexpected(ready.error());
  return Classifier(std::move(state));
}

int Classifier::program_fd() const { return state_->program; }

std::uint32_t Classifier::program_id() const {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(state_->program, &info, &size) == 0 ? info.id : 0;
}

Result<void> Classifier::SetIngress(const Lane& lane, const IngressEntry& entry) {
  const dpuflow_lane key = LaneKey(lane);
  dpuflow_ingress value{};
  value.l3_ifindex = entry.l3_ifindex;
  value.eswitch = entry.eswitch;
  value.flags = (entry.stack_only ? DPUFLOW_STACK_ONLY : 0) | (entry.bridged ? DPUFLOW_BRIDGED : 0);
  std::ranges::copy(entry.mac.bytes, value.mac);
  return Update(state_->ingresses, &key, &value, fmt::format("tell the classifier of {}", Describe(lane)));
}

Result<void> Classifier::RemoveIngress(const Lane& lane) {
  const dpuflow_lane key = LaneKey(lane);
  return Remove(state_->ingresses, &key, fmt::format("take {} from the classifier", Describe(lane)));
}

Result<void> Classifier::SetEgress(std::uint32_t l3_ifindex, const EgressEntry& entry) {
  dpuflow_egress value{};
  value.port = entry.port;
  value.eswitch = entry.eswitch;
  value.flags = entry.stack_only ? DPUFLOW_STACK_ONLY : 0;
  return Update(state_->egresses, &l3_ifindex, &value,
                fmt::format("tell the classifier of the interface {}", l3_ifindex));
}

Result<void> Classifier::RemoveEgress(std::uint32_t l3_ifindex) {
  return Remove(state_->egresses, &l3_ifindex, fmt::format("take the interface {} from the classifier", l3_ifindex));
}

Result<void> Classifier::AddSource(const Lane& lane, const IpAddress& address) {
  const dpuflow_source_key key = SourceKey(lane, address);
  const dpuflow_source value{};
  return Update(state_->sources, &key, &value,
                fmt::format("allow the source {} at {} in the classifier", address, Describe(lane)));
}

Result<void> Classifier::RemoveSource(const Lane& lane, const IpAddress& address) {
  const dpuflow_source_key key = SourceKey(lane, address);
  return Remove(state_->sources, &key,
                fmt::format("revoke the source {} at {} in the classifier", address, Describe(lane)));
}

Result<void> Classifier::Set(const ClassifierSettings& settings) { return state_->Set(settings); }
const ClassifierSettings& Classifier::settings() const { return state_->settings; }

int Classifier::ring_fd() const { return state_->misses; }

std::size_t Classifier::DrainMisses(const std::function<void(const MissEvent&)>& consume, std::size_t max) {
  if (max == 0) return 0;
  state_->drain = {&consume, max};
  ring_buffer__consume(state_->ring.get());
  return max - state_->drain.left;
}

Result<void> Classifier::ForgetReported() {
  dpuflow_flow_key key{};
  while (bpf_map_get_next_key(state_->reported, nullptr, &key) == 0) {
    if (auto removed = Remove(state_->reported, &key, "forget a reported flow"); !removed) return removed;
  }
  return {};
}

Result<ClassifierCounters> Classifier::ReadCounters() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return MakeError(-cpus, "count the CPUs");
  ClassifierCounters result;
  std::vector<dpuflow_counter> values(static_cast<std::size_t>(cpus));
  for (std::uint32_t index = 0; index < kCounters; ++index) {
    const int code = -bpf_map_lookup_elem(state_->counters, &index, values.data());
    if (code != 0) return MakeError(code, "read the classifier's counters");
    ClassifierCounter sum{static_cast<Verdict>(index / kProtocols), static_cast<ProtocolClass>(index % kProtocols)};
    for (const dpuflow_counter& value : values) {
      sum.packets += value.packets;
      sum.bytes += value.bytes;
    }
    if (sum.packets != 0) result.packets.push_back(sum);
  }
  std::vector<dpuflow_reports> reports(static_cast<std::size_t>(cpus));
  const int code = -bpf_map_lookup_elem(state_->reports, &kOnly, reports.data());
  if (code != 0) return MakeError(code, "read the classifier's report counters");
  for (const dpuflow_reports& value : reports) {
    result.reports.sent += value.sent;
    result.reports.suppressed += value.suppressed;
    result.reports.ring_full += value.ring_full;
  }
  return result;
}

Result<void> Classifier::ResolveBatch(std::span<const PathQuery> queries, std::span<PathAnswer> answers) {
  return state_->lookup.Ask(queries, answers);
}

}  // namespace dpuflow
