// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/offload/flower_mapping.h"

namespace dpuflow::offload {
namespace {

template <typename T>
std::string MaskedText(const netlink::Masked<T>& field, const netlink::Masked<T>& exact) {
  if (field.mask == exact.mask) return ToString(field.value);
  return fmt::format("{}/{}", ToString(field.value), ToString(field.mask));
}

std::string ByteText(const netlink::Masked<std::uint8_t>& field) {
  if (field.mask == 0xff) return fmt::format("{}", field.value);
  return fmt::format("{}/0x{:x}", field.value, field.mask);
}

std::vector<std::string> KeyWords(const netlink::FlowerKey& key) {
  std::vector<std::string> words;
  const auto add = [&](const char* name, const std::string& value) {
    words.push_back(fmt::format("{} {}", name, value));
  };
  if (key.vlan_id) add("vlan_id", fmt::format("{}", *key.vlan_id));
  if (key.vlan_priority) add("vlan_prio", fmt::format("{}", *key.vlan_priority));
  if (key.vlan_ethertype) add("vlan_ethtype", fmt::format("0x{:04x}", *key.vlan_ethertype));
  if (key.eth_dst) add("dst_mac", MaskedText(*key.eth_dst, netlink::Exact(key.eth_dst->value)));
  if (key.eth_src) add("src_mac", MaskedText(*key.eth_src, netlink::Exact(key.eth_src->value)));
  if (key.ip_proto) add("ip_proto", fmt::format("{}", *key.ip_proto));
  if (key.ip_tos) add("ip_tos", ByteText(*key.ip_tos));
  if (key.ip_ttl) add("ip_ttl", ByteText(*key.ip_ttl));
  if (key.ip_dst) add("dst_ip", MaskedText(*key.ip_dst, netlink::Exact(key.ip_dst->value)));
  if (key.ip_src) add("src_ip", MaskedText(*key.ip_src, netlink::Exact(key.ip_src->value)));
  if (key.dst_port) add("dst_port", fmt::format("{}", *key.dst_port));
  if (key.src_port) add("src_port", fmt::format("{}", *key.src_port));
  if (key.fragment) add("ip_flags", *key.fragment ? "frag" : "nofrag");
  return words;
}

struct ActionWords {
  std::string operator()(const netlink::PeditAction& edit) const {
    std::vector<std::string> words;
    if (edit.eth_dst) words.push_back("eth dst set " + ToString(*edit.eth_dst));
    if (edit.eth_src) words.push_back("eth src set " + ToString(*edit.eth_src));
    if (edit.decrement_ttl == Family::kIpv4) words.emplace_back("ip ttl dec");
    if (edit.decrement_ttl == Family::kIpv6) words.emplace_back("ip6 hoplimit dec");
    return fmt::format("pedit {}", fmt::join(words, " "));
  }
  std::string operator()(const netlink::VlanPushAction& push) const { return fmt::format("vlan push id {}", push.id); }
  std::string operator()(const netlink::VlanPopAction&) const { return "vlan pop"; }
  std::string operator()(const netlink::GotoAction& jump) const { return fmt::format("goto chain {}", jump.chain); }
  std::string operator()(const netlink::RedirectAction& redirect) const {
    return fmt::format("redirect ifindex {}", redirect.ifindex);
  }
  std::string operator()(const netlink::TrapAction&) const { return "trap"; }
  std::string operator()(const netlink::DropAction&) const { return "drop"; }
};

}  // namespace

std::string_view ToString(Flaw flaw) {
  static constexpr std::array<std::string_view, kFlaws> kNames = {
      "missing", "not_in_hardware", "in_software", "cookie", "match", "actions", "unknown", "stray", "classifier"};
  return kNames[static_cast<std::size_t>(flaw)];
}

std::optional<Flaw> FlawOf(const netlink::Filter& asked, const netlink::InstalledFilter& found) {
  if (!found.in_hw) return Flaw::kNotInHardware;
  if (found.filter.skip_sw != asked.skip_sw) return Flaw::kInSoftware;
  if (found.filter.cookie != asked.cookie) return Flaw::kCookie;
  if (found.filter.key != asked.key) return Flaw::kMatch;
  if (found.filter.actions != asked.actions) return Flaw::kActions;
  if (!found.complete) return Flaw::kUnknown;
  return std::nullopt;
}

Comparison::Comparison(std::vector<Expected> expected) : expected_(std::move(expected)) {
  std::ranges::sort(expected_, {}, &Expected::flow);
  Begin();
}

void Comparison::Begin() {
  seen_.assign(expected_.size(), false);
  differences_.clear();
}

void Comparison::Add(netlink::InstalledFilter found) {
  const flow::FlowId flow = FlowOf(found.filter.id.handle);
  const auto entry = std::ranges::lower_bound(expected_, flow, {}, &Expected::flow);
  if (entry != expected_.end() && entry->flow == flow) {
    netlink::Filter asked = ToFilter(entry->rule, entry->flow, entry->section);
    if (asked.id == found.filter.id) {
      seen_[static_cast<std::size_t>(entry - expected_.begin())] = true;
      const auto flaw = FlawOf(asked, found);
      if (flaw) differences_.push_back({*flaw, flow, std::move(asked), std::move(found)});
      return;
    }
  }
  const auto owner = OwnerOf(found.filter.cookie);
  if (owner) differences_.push_back({Flaw::kStray, owner->flow, std::nullopt, std::move(found)});
}

std::vector<Difference> Comparison::Finish() {
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    const Expected& entry = expected_[i];
    if (seen_[i]) continue;
    differences_.push_back({Flaw::kMissing, entry.flow, ToFilter(entry.rule, entry.flow, entry.section), std::nullopt});
  }
  return std::move(differences_);
}

std::optional<Expected> Recognize(const netlink::InstalledFilter& found) {
  const auto rule = ToRule(found.filter);
  if (!rule || !flow::IsExact(*rule)) return std::nullopt;
  const Expected entry{FlowOf(found.filter.id.handle), *rule, SectionOf(rule->match.table, found.filter.id.prio)};
  const netlink::Filter written = ToFilter(entry.rule, entry.flow, entry.section);
  if (entry.flow == 0 || written.id != found.filter.id || FlawOf(written, found)) return std::nullopt;
  return entry;
}

std::string InWords(const netlink::Filter& filter) {
  std::vector<std::string> actions;
  for (const netlink::Action& action : filter.actions) actions.push_back(std::visit(ActionWords{}, action));
  const netlink::FilterId& id = filter.id;
  return fmt::format("chain {} pref {} handle 0x{:x} {}: {}", id.chain, id.prio, id.handle,
                     fmt::join(KeyWords(filter.key), " "), fmt::join(actions, ", "));
}

}  // namespace dpuflow::offload
