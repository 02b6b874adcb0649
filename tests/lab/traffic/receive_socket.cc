// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/traffic/receive_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace labtraffic {
namespace {

constexpr int kReceiveBuffer = 64 << 20;

void SetOption(const Fd& fd, int level, int name, int value) {
  Check(setsockopt(fd.get(), level, name, &value, sizeof(value)), "setsockopt");
}

// Beyond net.core.rmem_max where we may.
void EnlargeBuffer(const Fd& fd) {
  const int size = kReceiveBuffer;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0) {
    SetOption(fd, SOL_SOCKET, SO_RCVBUF, size);
  }
}

std::string_view Bytes(const char* data, ssize_t size) { return {data, static_cast<std::size_t>(size)}; }

class UdpSocket : public ReceiveSocket {
 public:
  explicit UdpSocket(const Endpoint& address)
      : v4_(address.family() == AF_INET), fd_(Check(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")) {
    EnlargeBuffer(fd_);
    if (v4_) {
      SetOption(fd_, IPPROTO_IP, IP_RECVTTL, 1);
    } else {
      SetOption(fd_, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    }
    Check(bind(fd_.get(), address.get(), address.size()), "bind to " + address.address());
  }

  int fd() const override { return fd_.get(); }

  std::optional<Arrival> Read() override {
    char data[65536];
    char control[256];
    sockaddr_storage from = {};
    iovec vector = {data, sizeof(data)};
    msghdr message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const auto payload = Payload::Decode(Bytes(data, Check(recvmsg(fd_.get(), &message, 0), "recvmsg")));
    if (!payload) {
      return std::nullopt;
    }
    Arrival arrival;
    arrival.payload = *payload;
    arrival.source = Endpoint::From(reinterpret_cast<const sockaddr*>(&from)).address();
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      const bool ttl = v4_ ? part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TTL
                           : part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_HOPLIMIT;
      if (ttl) {
        std::memcpy(&arrival.ttl, CMSG_DATA(part), sizeof(arrival.ttl));
      }
    }
    return arrival;
  }

 private:
  bool v4_;
  Fd fd_;
};

// Reads headers from the front of a frame; what is missing reads as zero and empties the rest.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  std::uint8_t U8(std::size_t at) const { return at < bytes_.size() ? static_cast<std::uint8_t>(bytes_[at]) : 0; }
  std::uint16_t U16(std::size_t at) const { return static_cast<std::uint16_t>(U8(at) << 8 | U8(at + 1)); }
  std::string_view Take(std::size_t size) {
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken.size() == size ? taken : std::string_view();
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

std::string AddressText(int family, std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, bytes.data(), text, sizeof(text));
  return text;
}

// Fills in the addresses and TTL, and leaves the cursor at the transport header. False: not unfragmented UDP over IP.
bool ReadNetworkHeader(std::uint16_t ethertype, Cursor& cursor, Arrival& arrival) {
  if (ethertype == ETHERTYPE_IP) {
    const std::size_t length = (cursor.U8(0) & 0xfU) * 4U;
    const bool fragment = (cursor.U16(6) & 0x3fff) != 0;
    arrival.ttl = cursor.U8(8);
    const bool udp = cursor.U8(9) == IPPROTO_UDP;
    const std::string_view header = cursor.Take(length);
    if (length < 20 || header.empty() || fragment || !udp) {
      return false;
    }
    arrival.source = AddressText(AF_INET, header.substr(12, 4));
    arrival.destination = AddressText(AF_INET, header.substr(16, 4));
    return true;
  }
  if (ethertype == ETHERTYPE_IPV6) {
    arrival.ttl = cursor.U8(7);
    const bool udp = cursor.U8(6) == IPPROTO_UDP;
    const std::string_view header = cursor.Take(40);
    if (header.empty() || !udp) {
      return false;
    }
    arrival.source = AddressText(AF_INET6, header.substr(8, 16));
    arrival.destination = AddressText(AF_INET6, header.substr(24, 16));
    return true;
  }
  return false;
}

class DeviceSocket : public ReceiveSocket {
 public:
  DeviceSocket(const std::string& device, std::uint16_t port)
      : port_(port), fd_(Check(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket")) {
    EnlargeBuffer(fd_);
    SetOption(fd_, SOL_PACKET, PACKET_AUXDATA, 1);
    SetOption(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    sockaddr_ll address = {};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    Check(address.sll_ifindex == 0 ? -1 : 0, "device " + device);
    Check(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), "bind to " + device);
  }

  int fd() const override { return fd_.get(); }

  std::optional<Arrival> Read() override {
    char data[65536];
    char control[256];
    iovec vector = {data, sizeof(data)};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    Cursor cursor(Bytes(data, Check(recvmsg(fd_.get(), &message, 0), "recvmsg")));

    Arrival arrival;
    arrival.vlan_tci = StrippedTag(message);
    const std::string_view ethernet = cursor.Take(ETHER_HDR_LEN);
    if (ethernet.empty()) {
      return std::nullopt;
    }
    arrival.destination_mac.emplace();
    arrival.source_mac.emplace();
    std::copy_n(ethernet.begin(), 6, arrival.destination_mac->begin());
    std::copy_n(ethernet.begin() + 6, 6, arrival.source_mac->begin());
    std::uint16_t ethertype = Cursor(ethernet).U16(12);
    if (ethertype == ETHERTYPE_VLAN) {
      arrival.vlan_tci = cursor.U16(0);
      ethertype = cursor.U16(2);
      cursor.Take(4);
    }
    if (!ReadNetworkHeader(ethertype, cursor, arrival) || (port_ != 0 && cursor.U16(2) != port_)) {
      return std::nullopt;
    }
    cursor.Take(8);
    const auto payload = Payload::Decode(cursor.rest());
    if (!payload) {
      return std::nullopt;
    }
    arrival.payload = *payload;
    return arrival;
  }

 private:
  static std::optional<std::uint16_t> StrippedTag(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA) {
        tpacket_auxdata auxiliary;
        std::memcpy(&auxiliary, CMSG_DATA(part), sizeof(auxiliary));
        if ((auxiliary.tp_status & TP_STATUS_VLAN_VALID) != 0) {
          return auxiliary.tp_vlan_tci;
        }
      }
    }
    return std::nullopt;
  }

  std::uint16_t port_;
  Fd fd_;
};

}  // namespace

std::unique_ptr<ReceiveSocket> OpenUdp(const Endpoint& bind) { return std::make_unique<UdpSocket>(bind); }

std::unique_ptr<ReceiveSocket> OpenDevice(const std::string& device, std::uint16_t port) {
  return std::make_unique<DeviceSocket>(device, port);
}

}  // namespace labtraffic
