// SPDX-License-Identifier: Apache-2.0
//
// A program at the ingress of a device by tcx (Linux 6.6): in front of all of tc, qdisc or not, whatever chain a packet
// comes from. There is no command of iproute2 for it; `bpftool net show dev DEV` shows it.
//
// The kernel runs the programs of a device in the order in which they were attached. TC_ACT_UNSPEC is TCX_NEXT: the next
// program has its say, then tc's filters.
#pragma once

#include <cstdint>

#include "netlink/error.h"

namespace dpuflow::bpf {

// An attachment, by a bpf_link: it ends with the last descriptor of it, this object's or a copy that somebody keeps, or when
// somebody with CAP_SYS_ADMIN detaches it (bpftool link detach).
// (The other way, BPF_PROG_ATTACH, outlives the process, but what an earlier run left could then not be told from a
// foreign program without CAP_SYS_ADMIN.) Move-only; any thread.
class TcxLink {
 public:
  // Behind the programs that are there. `program` is a BPF_PROG_TYPE_SCHED_CLS, borrowed. Needs CAP_NET_ADMIN.
  // Errors: EOPNOTSUPP, this kernel has no tcx: use cls_bpf; ENODEV; ERANGE, the device has all the programs it can.
  static Result<TcxLink> Attach(int program, std::uint32_t ifindex);
  // A descriptor that an earlier process has made so and somebody has kept; owned from here on, closed on an error. EINVAL: it
  // is no such link.
  static Result<TcxLink> Adopt(int fd);

  TcxLink(TcxLink&& other) noexcept;
  TcxLink& operator=(TcxLink&& other) noexcept;
  ~TcxLink();

  // Exchanges the program; no packet passes in between.
  Result<void> Update(int program);
  [[nodiscard]] bool attached() const { return ifindex() != 0; }
  [[nodiscard]] std::uint32_t ifindex() const;  // 0: detached, or the device is gone
  [[nodiscard]] int fd() const { return fd_; }

 private:
  explicit TcxLink(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace dpuflow::bpf
