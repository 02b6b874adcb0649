// SPDX-License-Identifier: Apache-2.0
#include "bpf/object.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <utility>

namespace dpuflow::bpf {
namespace {

constexpr std::size_t kLongestText = 2000;  // of an error; what counts stands at the end

// libbpf prints through one function per process. While a Log lives, what it prints for this thread is collected there.
class Log {
 public:
  Log() {
    static std::once_flag once;
    std::call_once(once, [] { previous_ = libbpf_set_print(&Log::Print); });
    current_ = this;
  }
  ~Log() { current_ = nullptr; }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // The end of the text, from the start of a line.
  [[nodiscard]] std::string Tail() const {
    std::string text = text_;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.size() <= kLongestText) return text;
    const std::size_t line = text.find('\n', text.size() - kLongestText);
    return "... " + text.substr(line == std::string::npos ? text.size() - kLongestText : line + 1);
  }

 private:
  static int Print(libbpf_print_level level, const char* format, std::va_list arguments) {
    if (current_ == nullptr) return previous_ != nullptr ? previous_(level, format, arguments) : 0;
    if (level != LIBBPF_WARN) return 0;
    std::va_list copy;
    va_copy(copy, arguments);
    const int length = std::vsnprintf(nullptr, 0, format, copy);
    va_end(copy);
    if (length <= 0) return 0;
    std::string text(static_cast<std::size_t>(length) + 1, '\0');
    std::vsnprintf(text.data(), text.size(), format, arguments);
    text.pop_back();
    current_->text_ += text;
    return length;
  }

  static inline libbpf_print_fn_t previous_ = nullptr;
  static inline thread_local Log* current_ = nullptr;
  std::string text_;
};

// "CAP_BPF and CAP_PERFMON are missing", or nothing where all that loading needs are effective.
std::string MissingCapabilities() {
  constexpr std::array<std::pair<unsigned, const char*>, 3> kNeeded{
      {{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_PERFMON, "CAP_PERFMON"}, {CAP_BPF, "CAP_BPF"}}};
  __user_cap_header_struct header{};
  header.version = _LINUX_CAPABILITY_VERSION_3;
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return {};
  const auto has = [&](unsigned capability) { return (sets[capability / 32].effective >> capability % 32 & 1) != 0; };
  if (has(CAP_SYS_ADMIN)) return {};
  std::string missing;
  for (const auto& [capability, word] : kNeeded) {
    if (!has(capability)) missing += (missing.empty() ? "" : " and ") + std::string(word);
  }
  return missing.empty() ? missing : missing + " missing";
}

std::string Explain(int code, const Log& log) {
  if (code == ENOSYS) return "this kernel was built without bpf(2) (CONFIG_BPF_SYSCALL)";
  std::string text = log.Tail();
  if (code != EPERM) return text;
  const std::string missing = MissingCapabilities();
  return missing.empty() ? text : text.empty() ? missing : missing + ": " + text;
}

}  // namespace

Result<Object> Object::Open(std::string name, std::span<const unsigned char> bytes) {
  const Log log;
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = name.c_str();
  bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), &options);
  if (object == nullptr) return MakeError(errno, "open the BPF object " + name, log.Tail());
  return Object(std::move(name), object);
}

Result<void> Object::SetMaxEntries(const char* map, std::uint32_t entries) {
  bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  const int code = found == nullptr ? ENOENT : -bpf_map__set_max_entries(found, entries);
  if (code != 0) return MakeError(code, fmt::format("size the map {} of the BPF object {}", map, name_));
  return {};
}

Result<void> Object::Load() {
  const Log log;
  const int code = -bpf_object__load(object_.get());
  if (code != 0) return MakeError(code, "load the BPF object " + name_, Explain(code, log));
  return {};
}

Result<int> Object::ProgramFd(const char* program) const {
  const bpf_program* found = bpf_object__find_program_by_name(object_.get(), program);
  if (found == nullptr) return MakeError(ENOENT, fmt::format("find {} in the BPF object {}", program, name_));
  return bpf_program__fd(found);
}

Result<int> Object::MapFd(const char* map) const {
  const bpf_map* found = bpf_object__find_map_by_name(object_.get(), map);
  if (found == nullptr) return MakeError(ENOENT, fmt::format("find {} in the BPF object {}", map, name_));
  return bpf_map__fd(found);
}

}  // namespace dpuflow::bpf
