// SPDX-License-Identifier: Apache-2.0
//
// The kernel's filters in memory, behind a FakeTransport: adds, replaces, deletes and shows them as rtnetlink does, and
// can be told to do it wrong.
#pragma once

#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "netlink/socket.h"
#include "netlink/tc.h"
#include "tests/unit/netlink/fake_transport.h"

namespace dpuflow::offload {

class TcKernel {
 public:
  TcKernel() {
    auto transport = std::make_unique<netlink::FakeTransport>();
    transport_ = transport.get();
    transport_->on_request = [this](const nlmsghdr& request) { OnRequest(request); };
    socket = std::make_unique<netlink::Socket>(std::move(transport));
  }
  TcKernel(const TcKernel&) = delete;
  TcKernel& operator=(const TcKernel&) = delete;

  std::unique_ptr<netlink::Socket> socket;
  std::map<std::uint32_t, netlink::Filter> filters;             // what is installed, by handle
  std::map<std::uint32_t, std::pair<int, std::string>> refuse;  // of these handles, with errno and sentence
  std::vector<std::uint32_t> read_back;                         // handles that were asked for with RTM_GETTFILTER

  // How it goes wrong.
  std::function<void(netlink::Filter&)> alter = [](netlink::Filter&) {};  // installs something else
  bool in_hw = true;                                                      // of what is installed
  bool echoes = true;                                                     // NLM_F_ECHO is heeded
  bool drops_changes = false;    // changes are done, but their answers are lost for want of room (ENOBUFS)
  bool forgets_changes = false;  // ... and they are not done either

 private:
  void OnRequest(const nlmsghdr& request) {
    netlink::MessageReader reader(request);
    const std::uint32_t handle = reader.Header<tcmsg>().tcm_handle;
    if (request.nlmsg_type == RTM_GETTFILTER) return OnGet(request, handle);
    const bool lost = drops_changes;
    const int code = Change(request, handle, lost);
    if (lost) {
      transport_->Fail(ENOBUFS);
    } else if (code != 0) {
      transport_->Acknowledge(request, code, refuse.contains(handle) ? refuse[handle].second : "");
    } else if ((request.nlmsg_flags & NLM_F_ACK) != 0) {
      transport_->Acknowledge(request);
    }
  }

  int Change(const nlmsghdr& request, std::uint32_t handle, bool lost) {
    if (refuse.contains(handle)) return refuse[handle].first;
    if (lost && forgets_changes) return 0;
    if (request.nlmsg_type == RTM_DELTFILTER) {
      return filters.erase(handle) == 0 ? ENOENT : 0;
    }
    if ((request.nlmsg_flags & NLM_F_EXCL) != 0 && filters.contains(handle)) return EEXIST;
    auto installed = netlink::ParseFilter(request);
    if (!installed) return EINVAL;
    alter(installed->filter);
    filters[handle] = installed->filter;
    if (echoes && !lost && (request.nlmsg_flags & NLM_F_ECHO) != 0) Show(request.nlmsg_seq, handle);
    return 0;
  }

  void OnGet(const nlmsghdr& request, std::uint32_t handle) {
    read_back.push_back(handle);
    if (filters.contains(handle)) {
      Show(request.nlmsg_seq, handle);
    } else {
      transport_->Acknowledge(request, ENOENT, "Filter with specified priority/protocol not found");
    }
  }

  // RTM_NEWTFILTER as the kernel writes it: like the request, with TCA_CLS_FLAGS_IN_HW.
  void Show(std::uint32_t seq, std::uint32_t handle) {
    netlink::MessageBuffer buffer;
    if (!netlink::AppendFilterAdd(buffer, seq, filters[handle])) return;
    std::vector<std::byte> bytes(buffer.bytes().begin(), buffer.bytes().end());
    netlink::MessageReader reader(buffer.header(0));
    netlink::AttributeReader attributes = reader.Attributes(sizeof(tcmsg));
    while (attributes.Next()) {
      if (attributes.type() != TCA_OPTIONS) continue;
      netlink::AttributeReader options = attributes.Nested();
      while (options.Next()) {
        if (options.type() != TCA_FLOWER_FLAGS) continue;
        const std::uint32_t flags = options.U32() | (in_hw ? TCA_CLS_FLAGS_IN_HW : TCA_CLS_FLAGS_NOT_IN_HW);
        std::memcpy(bytes.data() + (options.payload().data() - buffer.bytes().data()), &flags, sizeof flags);
      }
    }
    transport_->AnswerBytes(std::move(bytes));
  }

  netlink::FakeTransport* transport_;  // owned by the socket
};

}  // namespace dpuflow::offload
