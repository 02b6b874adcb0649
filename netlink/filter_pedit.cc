// SPDX-License-Identifier: Apache-2.0
//
// act_pedit, the packet editor (include/uapi/linux/tc_act/tc_pedit.h, net/sched/act_pedit.c).
//
// It rewrites 32-bit words: a key has an offset into a header, a mask whose one bits are kept, and a value. In the
// extended form (TCA_PEDIT_KEYS_EX), the only one that hardware takes, each key names its header and SET or ADD. The
// message has the two halves of the keys in two attributes, in the same order.
//
// The two MACs are twelve adjacent bytes, three words: iproute2 sends four keys for them and writes the middle word twice,
// we send three. TTL - 1 is ADD 0xff to its byte: the carry is masked off, and drivers know this very form.
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_pedit.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "netlink/filter_codec.h"

namespace dpuflow::netlink {
namespace {

using Word = std::array<std::uint8_t, 4>;  // as in the packet

// One key of act_pedit, in both of its halves.
struct PeditKey {
  std::uint16_t header = TCA_PEDIT_KEY_EX_HDR_TYPE_ETH;
  std::uint16_t command = TCA_PEDIT_KEY_EX_CMD_SET;
  std::uint32_t offset = 0;
  Word keep{};
  Word value{};

  bool operator==(const PeditKey&) const = default;
};

// As many as are read: the words of the MACs, as iproute2 sends them, and the TTL.
constexpr std::size_t kMaxKeys = 5;

// In place: each entry is written and read back with these.
class PeditKeys {
 public:
  // The next one; none when there are more than anybody needs for this.
  PeditKey* Add() { return size_ < keys_.size() ? &keys_[size_++] : nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] PeditKey* begin() { return keys_.data(); }
  [[nodiscard]] PeditKey* end() { return keys_.data() + size_; }

 private:
  std::array<PeditKey, kMaxKeys> keys_{};
  std::size_t size_ = 0;
};

constexpr PeditKey kDecrementV4{
    TCA_PEDIT_KEY_EX_HDR_TYPE_IP4, TCA_PEDIT_KEY_EX_CMD_ADD, 8, {0, 0xff, 0xff, 0xff}, {0xff, 0, 0, 0}};
constexpr PeditKey kDecrementV6{
    TCA_PEDIT_KEY_EX_HDR_TYPE_IP6, TCA_PEDIT_KEY_EX_CMD_ADD, 4, {0xff, 0xff, 0xff, 0}, {0, 0, 0, 0xff}};

// Destination and source MAC as the twelve bytes that they are in the packet, and which of them are known.
struct MacBytes {
  std::array<std::uint8_t, 12> bytes{};
  std::array<bool, 12> known{};

  void Set(std::size_t at, const std::optional<MacAddress>& mac) {
    if (!mac) return;
    std::copy(mac->bytes.begin(), mac->bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    std::fill_n(known.begin() + static_cast<std::ptrdiff_t>(at), mac->bytes.size(), true);
  }
  // None when not a byte is known; false in `whole` when only some are.
  std::optional<MacAddress> Get(std::size_t at, bool& whole) const {
    const auto begin = known.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::count(begin, begin + 6, true);
    if (count != 0 && count != 6) whole = false;
    if (count != 6) return std::nullopt;
    MacAddress mac;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 6, mac.bytes.begin());
    return mac;
  }
};

PeditKeys KeysOf(const PeditAction& action) {
  MacBytes macs;
  macs.Set(0, action.eth_dst);
  macs.Set(6, action.eth_src);
  PeditKeys keys;
  for (std::uint32_t offset = 0; offset < macs.bytes.size(); offset += 4) {
    PeditKey key;
    key.offset = offset;
    for (std::size_t i = 0; i < 4; ++i) {
      key.keep[i] = macs.known[offset + i] ? 0 : 0xff;
      key.value[i] = macs.bytes[offset + i];
    }
    if (key.keep != Word{0xff, 0xff, 0xff, 0xff}) *keys.Add() = key;
  }
  if (action.decrement_ttl == Family::kIpv4) *keys.Add() = kDecrementV4;
  if (action.decrement_ttl == Family::kIpv6) *keys.Add() = kDecrementV6;
  return keys;
}

// The first half of the keys: `struct tc_pedit_sel` with its array. Nothing for what we never write.
PeditKeys ReadWords(AttributeReader& attribute) {
  PeditKeys keys;
  const auto selector = attribute.Value<tc_pedit_sel>();
  const auto payload = attribute.payload();
  if (selector.action != TC_ACT_PIPE || selector.flags != 0) return {};
  if (payload.size() < sizeof selector + selector.nkeys * sizeof(tc_pedit_key)) return {};
  for (std::size_t i = 0; i < selector.nkeys; ++i) {
    tc_pedit_key raw{};
    std::memcpy(&raw, payload.data() + sizeof selector + i * sizeof raw, sizeof raw);
    PeditKey* key = keys.Add();
    if (key == nullptr || raw.at != 0 || raw.offmask != 0 || raw.shift != 0) return {};
    key->offset = raw.off;
    std::memcpy(key->keep.data(), &raw.mask, sizeof raw.mask);
    std::memcpy(key->value.data(), &raw.val, sizeof raw.val);
  }
  return keys;
}

// The second half: header and command of each, in the same order.
PeditKeys ReadExtensions(AttributeReader extensions) {
  PeditKeys keys;
  while (extensions.Next()) {
    PeditKey* key = keys.Add();
    if (key == nullptr) return {};
    AttributeReader fields = extensions.Nested();
    while (fields.Next()) {
      if (fields.type() == TCA_PEDIT_KEY_EX_HTYPE) key->header = fields.U16();
      if (fields.type() == TCA_PEDIT_KEY_EX_CMD) key->command = fields.U16();
    }
  }
  return keys;
}

// A word of the two MACs; false when it sets only some bits of a byte or lies elsewhere.
bool TakeMacWord(const PeditKey& key, MacBytes& macs) {
  if (key.header != TCA_PEDIT_KEY_EX_HDR_TYPE_ETH || key.command != TCA_PEDIT_KEY_EX_CMD_SET) {
    return false;
  }
  if (key.offset % 4 != 0 || key.offset >= macs.bytes.size()) return false;
  for (std::size_t i = 0; i < 4; ++i) {
    if (key.keep[i] == 0xff) continue;
    if (key.keep[i] != 0) return false;
    macs.bytes[key.offset + i] = key.value[i];
    macs.known[key.offset + i] = true;
  }
  return true;
}

}  // namespace

void PutPedit(MessageBuffer& buffer, const PeditAction& action) {
  PeditKeys keys = KeysOf(action);
  tc_pedit_sel selector{};
  selector.action = TC_ACT_PIPE;
  selector.nkeys = static_cast<unsigned char>(keys.size());
  std::array<std::byte, sizeof selector + kMaxKeys * sizeof(tc_pedit_key)> params;
  std::memcpy(params.data(), &selector, sizeof selector);
  std::size_t size = sizeof selector;
  for (const PeditKey& key : keys) {
    tc_pedit_key raw{};
    std::memcpy(&raw.mask, key.keep.data(), sizeof raw.mask);
    std::memcpy(&raw.val, key.value.data(), sizeof raw.val);
    raw.off = key.offset;
    std::memcpy(params.data() + size, &raw, sizeof raw);
    size += sizeof raw;
  }
  buffer.Put(TCA_PEDIT_PARMS_EX, std::span(params).first(size));
  const Nest extended(buffer, TCA_PEDIT_KEYS_EX);
  for (const PeditKey& key : keys) {
    const Nest one(buffer, TCA_PEDIT_KEY_EX);
    buffer.PutU16(TCA_PEDIT_KEY_EX_HTYPE, key.header);
    buffer.PutU16(TCA_PEDIT_KEY_EX_CMD, key.command);
  }
}

std::optional<Action> ReadPedit(AttributeReader options) {
  PeditKeys keys;
  PeditKeys extensions;
  while (options.Next()) {
    if (options.type() == TCA_PEDIT_PARMS_EX) keys = ReadWords(options);
    if (options.type() == TCA_PEDIT_KEYS_EX) extensions = ReadExtensions(options.Nested());
  }
  if (keys.size() == 0 || keys.size() != extensions.size()) return std::nullopt;
  PeditAction action;
  MacBytes macs;
  const PeditKey* extension = extensions.begin();
  for (PeditKey& key : keys) {
    key.header = extension->header;
    key.command = extension->command;
    ++extension;
    const bool v4 = key == kDecrementV4;
    if (v4 || key == kDecrementV6) {
      if (action.decrement_ttl != Family::kNone) return std::nullopt;  // twice: not ours
      action.decrement_ttl = v4 ? Family::kIpv4 : Family::kIpv6;
    } else if (!TakeMacWord(key, macs)) {
      return std::nullopt;
    }
  }
  bool whole = true;
  action.eth_dst = macs.Get(0, whole);
  action.eth_src = macs.Get(6, whole);
  if (!whole) return std::nullopt;
  return action;
}

}  // namespace dpuflow::netlink
