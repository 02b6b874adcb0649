// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log. Libraries return errors; the daemon's edge logs them, once, here.
//
//   log::Info("{} ports", count);
//   log::Warning({{"PORT", port.name}, {"ERRNO", error.code}}, "{}", error);
//   log::Limited("ring-full", log::Level::kWarning, {}, "the miss ring is full");
//
// A line goes to stderr as "dpuflowd: warning: ..." when stderr is a terminal, a file or a pipe. When stderr is the
// journal's socket (JOURNAL_STREAM of systemd.exec(5) names its device and inode) it goes to the journal with its
// fields, each prefixed with "DPUFLOW_": `journalctl DPUFLOW_PORT=pf0vf3`. The text must make sense without fields.
//
// All functions are thread-safe. Logging cannot fail: a line that nobody takes is lost, and counted by Lost().
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dpuflow::log {

// syslog's numbers, which are the journal's PRIORITY.
enum class Level : std::uint8_t { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 };

std::string_view Name(Level level);  // "warning"
std::optional<Level> LevelFromName(std::string_view name);

// A structured field. Names are upper-case letters, digits and underscores, without the DPUFLOW_ prefix.
struct Field {
  std::string name;
  std::string value;

  Field(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
  Field(std::string_view field_name, std::integral auto number) : name(field_name), value(fmt::format("{}", number)) {}
};
using Fields = std::initializer_list<Field>;

// Chooses the target by looking at stderr and sets the level. Before it is called: stderr, info.
void Init(Level level);
void SetLevel(Level level);
[[nodiscard]] bool Enabled(Level level);
[[nodiscard]] std::uint64_t Lost();

// The pure parts.

// "dpuflowd: warning: text\n". Control characters in the text are shown escaped (\n, \x1b), so that what a driver or a
// client wrote can neither forge a line nor steer a terminal.
std::string FormatLine(Level level, std::string_view text);

// "PRIORITY=4", "MESSAGE=...", "SYSLOG_IDENTIFIER=dpuflowd", "DPUFLOW_PORT=pf0vf3", ... as sd_journal_sendv takes them.
std::vector<std::string> JournalEntries(Level level, std::string_view text, const Fields& fields);

// Whether JOURNAL_STREAM's value ("8:12345", nullptr when unset) names this device and inode.
bool IsJournalStream(const char* journal_stream, std::uint64_t device, std::uint64_t inode);

// Writing.

void Write(Level level, const Fields& fields, std::string_view text);

// At most 5 lines per key in 10 s; when lines were suppressed, the next one of the key, or FlushSuppressed, says how
// many. Keys are few and fixed ("ring-full"), not made of data from packets; beyond 256 they share one budget.
void WriteLimited(std::string_view key, Level level, const Fields& fields, std::string_view text);

// Says what was suppressed for keys that have gone quiet since. Call it every few seconds from a timer, and at the end.
void FlushSuppressed();

template <typename... Args>
void At(Level level, Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(level)) Write(level, fields, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void Limited(std::string_view key, Level level, Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  if (Enabled(level)) {
    WriteLimited(key, level, fields, fmt::format(format, std::forward<Args>(args)...));
  }
}

// Each level takes fields or none.
template <typename... Args>
void Error(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kError, fields, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Error(fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kError, {}, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Warning(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kWarning, fields, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Warning(fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kWarning, {}, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Notice(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kNotice, fields, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Notice(fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kNotice, {}, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Info(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kInfo, fields, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kInfo, {}, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Debug(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kDebug, fields, format, std::forward<Args>(args)...);
}
template <typename... Args>
void Debug(fmt::format_string<Args...> format, Args&&... args) {
  At(Level::kDebug, {}, format, std::forward<Args>(args)...);
}

}  // namespace dpuflow::log
