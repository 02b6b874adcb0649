// SPDX-License-Identifier: Apache-2.0
//
// The actions of a flower filter: TCA_FLOWER_ACT (include/uapi/linux/tc_act/*.h).
#include <arpa/inet.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/tc_act/tc_vlan.h>

#include "netlink/filter_codec.h"

namespace dpuflow::netlink {
namespace {

// Every action's parameters begin with tc_gen; `verdict` is what happens after it.
template <typename Params>
Params WithVerdict(int verdict) {
  Params params{};
  params.action = verdict;
  return params;
}

// The kind and the options of each action. The order of overloads is that of the variant.
struct ActionWriter {
  MessageBuffer& buffer;

  void Options(const char* kind, auto&& put) {
    buffer.PutString(TCA_ACT_KIND, kind);
    const Nest options(buffer, TCA_ACT_OPTIONS);
    put();
  }

  void Gact(int verdict) {
    Options("gact", [&] { buffer.PutValue(TCA_GACT_PARMS, WithVerdict<tc_gact>(verdict)); });
  }

  void operator()(const PeditAction& action) {
    Options("pedit", [&] { PutPedit(buffer, action); });
  }

  void operator()(const VlanPushAction& action) {
    Options("vlan", [&] {
      auto params = WithVerdict<tc_vlan>(TC_ACT_PIPE);
      params.v_action = TCA_VLAN_ACT_PUSH;
      buffer.PutValue(TCA_VLAN_PARMS, params);
      buffer.PutU16(TCA_VLAN_PUSH_VLAN_ID, action.id);
      buffer.PutBe16(TCA_VLAN_PUSH_VLAN_PROTOCOL, ETH_P_8021Q);
    });
  }

  void operator()(const VlanPopAction&) {
    Options("vlan", [&] {
      auto params = WithVerdict<tc_vlan>(TC_ACT_PIPE);
      params.v_action = TCA_VLAN_ACT_POP;
      buffer.PutValue(TCA_VLAN_PARMS, params);
    });
  }

  void operator()(const GotoAction& action) {
    Gact(TC_ACT_GOTO_CHAIN | static_cast<int>(action.chain & TC_ACT_EXT_VAL_MASK));
  }

  void operator()(const RedirectAction& action) {
    Options("mirred", [&] {
      auto params = WithVerdict<tc_mirred>(TC_ACT_STOLEN);
      params.eaction = TCA_EGRESS_REDIR;
      params.ifindex = action.ifindex;
      buffer.PutValue(TCA_MIRRED_PARMS, params);
    });
  }

  void operator()(const TrapAction&) { Gact(TC_ACT_TRAP); }
  void operator()(const DropAction&) { Gact(TC_ACT_SHOT); }
};

std::optional<Action> ReadGact(AttributeReader options) {
  std::optional<int> verdict;
  while (options.Next()) {
    if (options.type() == TCA_GACT_PARMS) verdict = options.Value<tc_gact>().action;
    if (options.type() == TCA_GACT_PROB) return std::nullopt;
  }
  if (!verdict) return std::nullopt;
  if (*verdict == TC_ACT_SHOT) return DropAction{};
  if (*verdict == TC_ACT_TRAP) return TrapAction{};
  if (TC_ACT_EXT_CMP(*verdict, TC_ACT_GOTO_CHAIN)) {
    return GotoAction{static_cast<std::uint32_t>(*verdict & TC_ACT_EXT_VAL_MASK)};
  }
  return std::nullopt;
}

std::optional<Action> ReadMirred(AttributeReader options) {
  std::optional<tc_mirred> params;
  while (options.Next()) {
    if (options.type() == TCA_MIRRED_PARMS) params = options.Value<tc_mirred>();
  }
  if (!params || params->eaction != TCA_EGRESS_REDIR || params->action != TC_ACT_STOLEN) {
    return std::nullopt;
  }
  return RedirectAction{params->ifindex};
}

std::optional<Action> ReadVlan(AttributeReader options) {
  std::optional<tc_vlan> params;
  std::uint16_t id = 0;
  bool plain = true;  // 802.1Q, priority 0
  while (options.Next()) {
    switch (options.type()) {
      case TCA_VLAN_PARMS:
        params = options.Value<tc_vlan>();
        break;
      case TCA_VLAN_PUSH_VLAN_ID:
        id = options.U16();
        break;
      case TCA_VLAN_PUSH_VLAN_PROTOCOL:
        plain = plain && options.Be16() == ETH_P_8021Q;
        break;
      case TCA_VLAN_PUSH_VLAN_PRIORITY:
        plain = plain && options.U8() == 0;
        break;
      default:
        break;
    }
  }
  if (!params || params->action != TC_ACT_PIPE || !plain) return std::nullopt;
  if (params->v_action == TCA_VLAN_ACT_POP) return VlanPopAction{};
  if (params->v_action == TCA_VLAN_ACT_PUSH) return VlanPushAction{id};
  return std::nullopt;
}

std::optional<Action> ReadOptions(const std::string& kind, AttributeReader options) {
  if (kind == "pedit") return ReadPedit(options);
  if (kind == "vlan") return ReadVlan(options);
  if (kind == "mirred") return ReadMirred(options);
  if (kind == "gact") return ReadGact(options);
  return std::nullopt;
}

// TCA_STATS_PKT64 stands right behind what it widens: once for all packets, once for those of the hardware.
FilterCounters ReadHardwareCounters(AttributeReader stats) {
  FilterCounters counters;
  bool hardware = false;
  while (stats.Next()) {
    if (stats.type() == TCA_STATS_PKT64 && hardware) counters.packets = stats.U64();
    if (stats.type() == TCA_STATS_BASIC) hardware = false;
    if (stats.type() != TCA_STATS_BASIC_HW) continue;
    hardware = true;
    const auto basic = stats.Value<gnet_stats_basic>();
    counters = {.packets = basic.packets, .bytes = basic.bytes};
  }
  return counters;
}

}  // namespace

void PutActions(MessageBuffer& buffer, const std::vector<Action>& actions, const Cookie& cookie) {
  const Nest list(buffer, TCA_FLOWER_ACT);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Nest one(buffer, static_cast<std::uint16_t>(i + 1));
    std::visit(ActionWriter{buffer}, actions[i]);
    if (i + 1 == actions.size() && cookie != Cookie{}) buffer.PutValue(TCA_ACT_COOKIE, cookie);
    buffer.PutValue(TCA_ACT_FLAGS,
                    nla_bitfield32{.value = TCA_ACT_FLAGS_NO_PERCPU_STATS, .selector = TCA_ACT_FLAGS_NO_PERCPU_STATS});
  }
}

InstalledAction ReadAction(AttributeReader attributes) {
  InstalledAction result;
  std::string kind;
  std::optional<AttributeReader> options;
  bool plain = true;
  while (attributes.Next()) {
    switch (attributes.type()) {
      case TCA_ACT_KIND:
        kind = attributes.String();
        break;
      case TCA_ACT_OPTIONS:
        options = attributes.Nested();
        break;
      case TCA_ACT_STATS:
        result.counters = ReadHardwareCounters(attributes.Nested());
        break;
      case TCA_ACT_COOKIE:
        if (attributes.payload().size() == sizeof(Cookie)) result.cookie = attributes.Value<Cookie>();
        break;
      case TCA_ACT_FLAGS:
        // SKIP_SW is the filter's own: the kernel hands it down to its actions.
        plain = plain && (attributes.Value<nla_bitfield32>().value & TCA_ACT_FLAGS_SKIP_HW) == 0;
        break;
      case TCA_ACT_HW_STATS:
        plain = false;  // shown only where it is not the default
        break;
      default:
        break;
    }
  }
  if (options && plain) result.action = ReadOptions(kind, *options);
  return result;
}

void ReadTerseActions(AttributeReader actions, TerseFilter& terse) {
  while (actions.Next()) {
    AttributeReader attributes = actions.Nested();
    while (attributes.Next()) {
      if (attributes.type() == TCA_ACT_STATS) {
        const FilterCounters counters = ReadHardwareCounters(attributes.Nested());
        if (counters != FilterCounters{}) terse.counters = counters;
      } else if (attributes.type() == TCA_ACT_COOKIE && attributes.payload().size() == sizeof(Cookie)) {
        terse.cookie = attributes.Value<Cookie>();
      }
    }
  }
}

}  // namespace dpuflow::netlink
