// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/capabilities.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

namespace dpuflow {
namespace {

// By number: the headers of older systems lack the names.
constexpr unsigned kNetAdmin = 12;
constexpr unsigned kSysAdmin = 21;
constexpr unsigned kPerfmon = 38;
constexpr unsigned kBpf = 39;

constexpr std::array kNeeded = {
    Capability{kNetAdmin, "CAP_NET_ADMIN", "to program filters"},
    Capability{kBpf, "CAP_BPF", "to load the classifier"},
    Capability{kPerfmon, "CAP_PERFMON", "to have the classifier accepted by the verifier"},
};

constexpr std::uint64_t Bit(unsigned number) { return std::uint64_t{1} << number; }

std::string ProgramPath() {
  std::array<char, PATH_MAX> buffer{};
  const ssize_t length = readlink("/proc/self/exe", buffer.data(), buffer.size());
  if (length <= 0) return "/usr/sbin/dpuflowd";
  return {buffer.data(), static_cast<std::size_t>(length)};
}

// "a", "a and b", "a, b and c"
std::string Enumerate(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

Result<std::uint64_t> EffectiveCapabilities() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) {
    return ErrnoError("read this process's capabilities");
  }
  return std::uint64_t{data[1].effective} << 32 | data[0].effective;
}

std::vector<Capability> MissingCapabilities(std::uint64_t effective) {
  if ((effective & Bit(kSysAdmin)) != 0) effective |= Bit(kBpf) | Bit(kPerfmon);
  std::vector<Capability> missing;
  for (const Capability& needed : kNeeded) {
    if ((effective & Bit(needed.number)) == 0) missing.push_back(needed);
  }
  return missing;
}

std::string DescribeMissing(const std::vector<Capability>& missing, std::string_view program) {
  if (missing.empty()) return {};
  std::vector<std::string> reasons;
  reasons.reserve(missing.size());
  for (const Capability& capability : missing) {
    reasons.push_back(fmt::format("{} ({})", capability.name, capability.job));
  }
  return fmt::format(
      "missing {}: start it with `systemctl start dpuflowd`, whose unit has "
      "\"AmbientCapabilities=CAP_NET_ADMIN CAP_BPF CAP_PERFMON\", as root, or after "
      "`setcap cap_net_admin,cap_bpf,cap_perfmon=ep {}`",
      Enumerate(reasons), program);
}

Result<void> CheckCapabilities() {
  const auto effective = EffectiveCapabilities();
  if (!effective) return tl::make_unexpected(effective.error());
  const auto missing = MissingCapabilities(*effective);
  if (missing.empty()) return {};
  return MakeError(EPERM, "run without privileges", DescribeMissing(missing, ProgramPath()));
}

}  // namespace dpuflow
