// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/log.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// The place in our source that the macro would add is this file, for every message.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <mutex>

#include "agent/daemon/rate_limiter.h"

namespace dpuflow::log {
namespace {

constexpr std::string_view kIdentifier = "dpuflowd";
constexpr std::uint32_t kLimitedLines = 5;
constexpr std::chrono::seconds kLimitedInterval{10};

struct LevelName {
  Level level;
  std::string_view name;
};
constexpr std::array kLevelNames = {LevelName{Level::kError, "error"}, LevelName{Level::kWarning, "warning"},
                                    LevelName{Level::kNotice, "notice"}, LevelName{Level::kInfo, "info"},
                                    LevelName{Level::kDebug, "debug"}};

std::atomic<Level> g_level{Level::kInfo};
std::atomic<bool> g_to_journal{false};
std::atomic<std::uint64_t> g_lost{0};

struct Limiter {
  std::mutex mutex;
  RateLimiter limiter{kLimitedLines, kLimitedInterval};
};
Limiter& GlobalLimiter() {
  static Limiter limiter;
  return limiter;
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      escaped += "\\n";
    } else if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// One write per line, so that lines of several threads do not mix (pipe(7): up to PIPE_BUF).
bool ToStderr(std::string_view line) {
  ssize_t written = 0;
  do {
    written = write(STDERR_FILENO, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(line.size());
}

bool ToJournal(std::vector<std::string> entries) {
  std::vector<iovec> vectors;
  vectors.reserve(entries.size());
  for (std::string& entry : entries) vectors.push_back({entry.data(), entry.size()});
  return sd_journal_sendv(vectors.data(), static_cast<int>(vectors.size())) == 0;
}

}  // namespace

std::string_view Name(Level level) {
  for (const LevelName& entry : kLevelNames) {
    if (entry.level == level) return entry.name;
  }
  return "unknown";
}

std::optional<Level> LevelFromName(std::string_view name) {
  for (const LevelName& entry : kLevelNames) {
    if (entry.name == name) return entry.level;
  }
  return std::nullopt;
}

void Init(Level level) {
  SetLevel(level);
  struct stat status = {};
  if (fstat(STDERR_FILENO, &status) != 0) return;
  g_to_journal = IsJournalStream(std::getenv("JOURNAL_STREAM"), status.st_dev, status.st_ino);
}

void SetLevel(Level level) { g_level = level; }
bool Enabled(Level level) { return level <= g_level.load(std::memory_order_relaxed); }
std::uint64_t Lost() { return g_lost; }

std::string FormatLine(Level level, std::string_view text) {
  return fmt::format("{}: {}: {}\n", kIdentifier, Name(level), Escaped(text));
}

std::vector<std::string> JournalEntries(Level level, std::string_view text, const Fields& fields) {
  std::vector<std::string> entries;
  entries.reserve(3 + fields.size());
  entries.push_back(fmt::format("PRIORITY={}", static_cast<int>(level)));
  entries.push_back(fmt::format("MESSAGE={}", Escaped(text)));
  entries.push_back(fmt::format("SYSLOG_IDENTIFIER={}", kIdentifier));
  for (const Field& field : fields) {
    entries.push_back(fmt::format("DPUFLOW_{}={}", field.name, field.value));
  }
  return entries;
}

bool IsJournalStream(const char* journal_stream, std::uint64_t device, std::uint64_t inode) {
  return journal_stream != nullptr && fmt::format("{}:{}", device, inode) == journal_stream;
}

void Write(Level level, const Fields& fields, std::string_view text) {
  if (!Enabled(level)) return;
  const bool taken = g_to_journal ? ToJournal(JournalEntries(level, text, fields)) : ToStderr(FormatLine(level, text));
  if (!taken) g_lost.fetch_add(1, std::memory_order_relaxed);
}

void WriteLimited(std::string_view key, Level level, const Fields& fields, std::string_view text) {
  RateLimiter::Decision decision;
  {
    Limiter& global = GlobalLimiter();
    const std::lock_guard lock(global.mutex);
    decision = global.limiter.Admit(key, std::chrono::steady_clock::now());
  }
  if (!decision.admitted) return;
  if (decision.suppressed == 0) {
    Write(level, fields, text);
  } else {
    Write(level, fields, fmt::format("{} (suppressed {} like it)", text, decision.suppressed));
  }
}

void FlushSuppressed() {
  std::vector<RateLimiter::Report> reports;
  {
    Limiter& global = GlobalLimiter();
    const std::lock_guard lock(global.mutex);
    reports = global.limiter.TakeExpired(std::chrono::steady_clock::now());
  }
  for (const RateLimiter::Report& report : reports) {
    Notice("suppressed {} messages of the kind \"{}\"", report.suppressed, report.key);
  }
}

}  // namespace dpuflow::log
