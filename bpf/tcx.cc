// SPDX-License-Identifier: Apache-2.0
#include "bpf/tcx.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace dpuflow::bpf {
namespace {

// BPF_TCX_INGRESS of enum bpf_attach_type in Linux 6.6's <linux/bpf.h>; Debian 12's headers are those of 6.1.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr std::uint32_t kTcxLink = 11;  // BPF_LINK_TYPE_TCX of enum bpf_link_type

}  // namespace

Result<TcxLink> TcxLink::Attach(int program, std::uint32_t ifindex) {
  // Linux takes a device where libbpf's function, which knows other kinds of links, says target.
  const int fd = bpf_link_create(program, static_cast<int>(ifindex), kTcxIngress, nullptr);
  if (fd >= 0) return TcxLink(fd);
  // A kernel without tcx does not know the attach type, and says so with EINVAL; one with tcx has no reason to.
  const int code = errno == EINVAL ? EOPNOTSUPP : errno;
  return MakeError(code, fmt::format("attach the classifier at ifindex {} by tcx", ifindex));
}

TcxLink::TcxLink(TcxLink&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

TcxLink& TcxLink::operator=(TcxLink&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Result<TcxLink> TcxLink::Adopt(int fd) {
  TcxLink link(fd);
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return ErrnoError("look at a descriptor that was kept");
  if (info.type != kTcxLink) return MakeError(EINVAL, fmt::format("adopt a link of type {}", info.type));
  return link;
}

Result<void> TcxLink::Update(int program) {
  if (bpf_link_update(fd_, program, nullptr) != 0) return ErrnoError("exchange the classifier of a tcx link");
  return {};
}

// A link that was detached lives on without a device. Where newer headers have tcx.ifindex in struct bpf_link_info, those of
// Linux 6.1 have xdp.ifindex.
std::uint32_t TcxLink::ifindex() const {
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd_, &info, &size) == 0 ? info.xdp.ifindex : 0;
}

TcxLink::~TcxLink() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace dpuflow::bpf
