// SPDX-License-Identifier: Apache-2.0
//
// Asks the kernel's FIB for the paths of many packets in one system call, by the helper with which the classifier
// forwards (bpf_fib_lookup): both take the same path because both ask the same question.
//
// The program runs in the kernel on a dummy packet (BPF_PROG_RUN); questions and answers lie in memory that both sides
// see. A lookup costs about a tenth of an RTM_GETROUTE. It is the path and no more: it does not look at the source
// (rp_filter, martians), nor at netfilter or XFRM, and it says kLocal for addresses without a route too.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "netlink/address.h"
#include "netlink/error.h"

namespace dpuflow {

// A packet, as far as routing looks at it. Ask as the classifier does: ports are zero in fragments and for other
// protocols than TCP and UDP, `tos` is the byte as it is in the header.
struct PathQuery {
  std::uint32_t ingress = 0;  // ifindex of the L3 interface at which it enters (PortEntry::l3_ifindex)
  IpAddress source{};
  IpAddress destination{};
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t tos = 0;
  std::uint16_t length = 0;  // bytes of L3 that must fit the path; 0 is not asked about

  bool operator==(const PathQuery&) const = default;
};

struct PathAnswer {
  enum class Result : std::uint8_t {
    kForward,
    kNoNeigh,  // would be forwarded by `egress`, but the MAC of `next_hop` is not known
    kTooBig,   // `length` does not fit: `mtu` says what does
    kLocal,    // for this machine, not unicast, or no route
    kBlackhole,
    kUnreachable,
    kProhibit,
    kForwardingOff,  // sysctl `forwarding` is 0 at the ingress
    kTunnel,         // a lightweight tunnel (MPLS, SRv6, ip route ... encap)
    kFailed,         // for `error`: ENODEV no such ingress, EAFNOSUPPORT no IPv6 here
  };
  Result result = Result::kFailed;
  int error = 0;                 // an errno, with kFailed
  std::uint32_t egress = 0;      // ifindex; with kForward and kNoNeigh
  MacAddress source_mac{};       // of the egress interface; with kForward
  MacAddress destination_mac{};  // of the next hop; with kForward
  IpAddress next_hop{};          // the gateway, or the destination where it is on-link; with kForward and kNoNeigh
  std::uint16_t mtu = 0;         // bytes of L3; with kForward where `length` was given, and with kTooBig

  bool operator==(const PathAnswer&) const = default;
};

std::string_view ToString(PathAnswer::Result result);  // "forward", "no_neigh", ...

// Not safe for use by two threads at once: there is one piece of shared memory. Move-only; owns program and map.
class PathLookup {
 public:
  // Needs CAP_BPF and CAP_NET_ADMIN (Linux 5.8). Errors carry libbpf's and the verifier's text.
  static Result<PathLookup> Load();
  PathLookup(PathLookup&&) noexcept;
  PathLookup& operator=(PathLookup&&) noexcept;
  ~PathLookup();

  // One answer per query, in order; `answers` is at least as long. Any number: 256 go into one system call. Takes no
  // lock that waits for others, rtnl neither. Asks in the network namespace of the calling thread. An error means that
  // the program did not run: nothing in `answers` is of use then.
  Result<void> Ask(std::span<const PathQuery> queries, std::span<PathAnswer> answers);

 private:
  struct State;
  explicit PathLookup(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dpuflow
