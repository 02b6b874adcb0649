// SPDX-License-Identifier: Apache-2.0
//
// Filters as values, made of the input's bytes. What the encoder takes, the parser reads as the very same filter: the
// agent compares the two to see whether the kernel installed what it was asked for.
#include <linux/if_ether.h>
#include <netinet/in.h>

#include <cstring>
#include <span>

#include "fuzz.h"
#include "netlink/tc.h"

namespace dpuflow::netlink {
namespace {

using fuzz::Require;

// Takes values off the input; zeros behind its end.
class Source {
 public:
  explicit Source(std::span<const std::uint8_t> rest) : rest_(rest) {}

  template <typename T>
  T Take() {
    T value{};
    if (rest_.size() >= sizeof value) {
      std::memcpy(&value, rest_.data(), sizeof value);
      rest_ = rest_.subspan(sizeof value);
    } else {
      rest_ = {};
    }
    return value;
  }
  bool Flip() { return (Take<std::uint8_t>() & 1) != 0; }
  // One of `usual`, or any.
  template <typename T, std::size_t N>
  T OneOf(const T (&usual)[N]) {
    const auto choice = Take<std::uint8_t>() % (N + 1);
    return choice < N ? usual[choice] : Take<T>();
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
};

MacAddress TakeMac(Source& source) { return {source.Take<std::array<std::uint8_t, 6>>()}; }

IpAddress TakeIp(Source& source, bool v6) {
  return v6 ? IpAddress::V6(source.Take<std::array<std::uint8_t, 16>>()) : IpAddress::V4(source.Take<std::uint32_t>());
}

// Absent, exact, or under a mask.
template <typename T, typename Take>
std::optional<Masked<T>> TakeMasked(Source& source, Take take) {
  if (!source.Flip()) return std::nullopt;
  const T value = take();
  return Masked<T>{value, take()};
}

template <typename T>
std::optional<T> TakeOptional(Source& source) {
  return source.Flip() ? std::optional<T>(source.Take<T>()) : std::nullopt;
}

FlowerKey TakeKey(Source& source, bool v6) {
  FlowerKey key;
  if (source.Flip()) key.vlan_id = static_cast<std::uint16_t>(source.Take<std::uint16_t>() & 0x1fff);
  if (source.Flip()) key.vlan_ethertype = source.OneOf<std::uint16_t>({ETH_P_IP, ETH_P_IPV6});
  key.eth_dst = TakeMasked<MacAddress>(source, [&] { return TakeMac(source); });
  key.eth_src = TakeMasked<MacAddress>(source, [&] { return TakeMac(source); });
  key.ip_src = TakeMasked<IpAddress>(source, [&] { return TakeIp(source, v6); });
  key.ip_dst = TakeMasked<IpAddress>(source, [&] { return TakeIp(source, v6); });
  if (source.Flip()) key.ip_proto = source.OneOf<std::uint8_t>({IPPROTO_TCP, IPPROTO_UDP});
  key.ip_ttl = TakeMasked<std::uint8_t>(source, [&] { return source.Take<std::uint8_t>(); });
  key.src_port = TakeOptional<std::uint16_t>(source);
  key.dst_port = TakeOptional<std::uint16_t>(source);
  if (source.Flip()) key.fragment = source.Flip();
  return key;
}

PeditAction TakePedit(Source& source) {
  constexpr Family kFamilies[] = {Family::kNone, Family::kIpv4, Family::kIpv6};
  PeditAction action;
  if (source.Flip()) action.eth_dst = TakeMac(source);
  if (source.Flip()) action.eth_src = TakeMac(source);
  action.decrement_ttl = kFamilies[source.Take<std::uint8_t>() % 3];
  return action;
}

Action TakeAction(Source& source) {
  switch (source.Take<std::uint8_t>() % 7) {
    case 0:
      return TakePedit(source);
    case 1:
      return VlanPushAction{source.Take<std::uint16_t>()};
    case 2:
      return VlanPopAction{};
    case 3:
      return GotoAction{source.Take<std::uint32_t>()};
    case 4:
      return RedirectAction{source.Take<std::uint32_t>()};
    case 5:
      return TrapAction{};
    default:
      return DropAction{};
  }
}

Filter TakeFilter(Source& source) {
  Filter filter;
  filter.id = {.ifindex = source.Take<std::uint32_t>(),
               .chain = source.Take<std::uint32_t>(),
               .prio = source.Take<std::uint16_t>(),
               .ethertype = source.OneOf<std::uint16_t>({ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_ARP}),
               .handle = source.Take<std::uint32_t>()};
  filter.key = TakeKey(source, source.Flip());
  filter.skip_sw = source.Flip();
  if (source.Flip()) filter.cookie = source.Take<Cookie>();
  while (!source.empty() && filter.actions.size() < 40) filter.actions.push_back(TakeAction(source));
  return filter;
}

void Check(const Filter& filter) {
  MessageBuffer buffer;
  if (const auto written = AppendFilterAdd(buffer, 1, filter); !written) {
    Require(buffer.empty() && !written.error().extack.empty(), "a refusal has a sentence, and nothing is written");
    return;
  }
  Require(buffer.ok() && buffer.count() == 1, "a filter is one message");
  const auto installed = ParseFilter(buffer.header(0));
  Require(installed && installed->complete, "what was written is complete");
  Require(installed->filter == filter, "what was written is read as it was");
}

}  // namespace
}  // namespace dpuflow::netlink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::netlink::Source source(std::span(data, size));
  dpuflow::netlink::Check(dpuflow::netlink::TakeFilter(source));
  return 0;
}
