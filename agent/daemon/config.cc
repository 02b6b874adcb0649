// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

// toml++ then returns what went wrong instead of throwing it.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "agent/daemon/duration.h"
#include "agent/daemon/lock.h"
#include "agent/daemon/nearest.h"
#include "agent/daemon/settings.h"

namespace dpuflow {
namespace {

FoundValue Found(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return node.as_string()->get();
    case toml::node_type::integer:
      return node.as_integer()->get();
    case toml::node_type::boolean:
      return node.as_boolean()->get();
    case toml::node_type::floating_point:
      return FoundOther{"a number with a fraction"};
    case toml::node_type::array:
      return FoundOther{"an array"};
    case toml::node_type::table:
      return FoundOther{"a table"};
    default:
      return FoundOther{"a date or time"};
  }
}

constexpr std::string_view kSources = "sources";  // the table whose keys are ports

// An address, or a prefix without host bits.
std::optional<IpPrefix> ParseSource(const toml::node& node) {
  const toml::value<std::string>* text = node.as_string();
  const auto prefix = text != nullptr ? IpPrefix::Parse(text->get()) : std::nullopt;
  if (!prefix) return std::nullopt;
  const bool exact =
      IpAddress::Parse(std::string_view(text->get()).substr(0, text->get().find('/'))) == prefix->address;
  return exact ? prefix : std::nullopt;
}

std::vector<std::string_view> TableNames() {
  std::vector<std::string_view> names;
  for (const Setting& setting : Settings()) {
    if (names.empty() || names.back() != setting.table) names.push_back(setting.table);
  }
  names.push_back(kSources);
  return names;
}

std::vector<std::string_view> KeysOf(std::string_view table) {
  std::vector<std::string_view> keys;
  for (const Setting& setting : Settings()) {
    if (setting.table == table) keys.push_back(setting.key);
  }
  return keys;
}

std::string DidYouMean(std::string_view typed, const std::vector<std::string_view>& candidates) {
  const auto nearest = Nearest(typed, candidates);
  return nearest ? fmt::format("; did you mean \"{}\"?", *nearest) : std::string();
}

// One reading of one document with its flags: the configuration that comes of it, and all that is wrong.
class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file), origins_(Settings().size()) {}

  void ReadDocument(std::string_view text);
  void ReadFlag(const FlagValue& flag);
  void CheckTogether();
  ConfigResult Finish();

 private:
  struct Placed {
    std::size_t line;  // 0: not from the file
    ConfigProblem problem;
  };

  std::string At(std::size_t line) const { return fmt::format("{}:{}", file_, line); }
  void ProblemAt(std::size_t line, std::string what) { problems_.push_back({line, {At(line), std::move(what)}}); }
  void ReadTable(std::string_view name, const toml::table& table);
  void ReadSources(const toml::table& table);
  void UnknownTable(std::size_t line, std::string_view name);
  void UnknownKey(std::size_t line, std::string_view table, std::string_view key);
  std::string_view OriginOf(std::string_view table, std::string_view key) const;

  std::string_view file_;
  Config config_ = DefaultConfig();
  std::vector<std::string> origins_;  // by setting: where its value was given; empty: the default
  std::vector<Placed> problems_;
};

void Reader::ReadDocument(std::string_view text) {
  const toml::parse_result document = toml::parse(text);
  if (!document) {
    const toml::parse_error& error = document.error();
    ProblemAt(error.source().begin.line, fmt::format("not TOML: {}", error.description()));
    return;
  }
  for (const auto& [key, node] : document.table()) {
    const std::size_t line = key.source().begin.line;
    if (const auto names = TableNames(); std::count(names.begin(), names.end(), key.str()) == 0) {
      UnknownTable(line, key.str());
    } else if (const toml::table* table = node.as_table()) {
      key.str() == kSources ? ReadSources(*table) : ReadTable(key.str(), *table);
    } else {
      ProblemAt(line, fmt::format("{0}: expected a table, [{0}], found a value", key.str()));
    }
  }
}

void Reader::ReadTable(std::string_view name, const toml::table& table) {
  const auto settings = Settings();
  for (const auto& [toml_key, node] : table) {
    const std::string_view key = toml_key.str();
    const std::size_t line = toml_key.source().begin.line;
    const auto it = std::find_if(settings.begin(), settings.end(),
                                 [&](const Setting& setting) { return setting.table == name && setting.key == key; });
    if (it == settings.end()) {
      UnknownKey(line, name, key);
      continue;
    }
    if (auto wrong = Assign(*it, Found(node), config_)) {
      ProblemAt(line, fmt::format("{}: {}", FullName(*it), *wrong));
    }
    origins_[static_cast<std::size_t>(it - settings.begin())] = At(line);
  }
}

void Reader::ReadSources(const toml::table& table) {
  for (const auto& [port, node] : table) {
    const auto wrong = [&, line = port.source().begin.line](const std::string& found) {
      ProblemAt(line, fmt::format("{}.{}: expected a list of addresses and prefixes, such as [\"10.1.3.2\", "
                                  "\"2001:db8:3::/64\"], found {}",
                                  kSources, port.str(), found));
    };
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      wrong("a value that is no list");
      continue;
    }
    std::vector<IpPrefix>& sources = config_.sources[std::string(port.str())];
    for (const toml::node& each : *list) {
      if (const auto source = ParseSource(each)) {
        sources.push_back(*source);
      } else {
        const toml::value<std::string>* text = each.as_string();
        wrong(text != nullptr ? fmt::format("\"{}\" in it", text->get()) : "something else in it");
      }
    }
  }
}

void Reader::UnknownTable(std::size_t line, std::string_view name) {
  const auto settings = Settings();
  const auto key =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& setting) { return setting.key == name; });
  if (key != settings.end()) {
    ProblemAt(line, fmt::format("\"{}\" belongs in [{}]", name, key->table));
    return;
  }
  const auto names = TableNames();
  ProblemAt(line, fmt::format("unknown table [{}]: expected one of [{}]{}", name, fmt::join(names, "], ["),
                              DidYouMean(name, names)));
}

void Reader::UnknownKey(std::size_t line, std::string_view table, std::string_view key) {
  const auto settings = Settings();
  const auto elsewhere =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& setting) { return setting.key == key; });
  if (elsewhere != settings.end()) {
    ProblemAt(line, fmt::format("\"{}\" belongs in [{}], found in [{}]", key, elsewhere->table, table));
    return;
  }
  const auto keys = KeysOf(table);
  ProblemAt(line, fmt::format("unknown key \"{}\" in [{}]: expected {}{}", key, table, fmt::join(keys, ", "),
                              DidYouMean(key, keys)));
}

void Reader::ReadFlag(const FlagValue& flag) {
  const Setting& setting = Settings()[flag.setting];
  if (auto wrong = Assign(setting, ValueFromText(setting, flag.text), config_)) {
    problems_.push_back({0, {std::string(setting.flag), std::move(*wrong)}});
  }
  origins_[flag.setting] = setting.flag;
}

std::string_view Reader::OriginOf(std::string_view table, std::string_view key) const {
  const auto settings = Settings();
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (settings[i].table == table && settings[i].key == key) return origins_[i];
  }
  return {};
}

// A rule between two settings is broken where one of them was set: the defaults break none.
void Reader::CheckTogether() {
  const auto add = [&](std::string_view first, std::string_view second, std::string what) {
    problems_.push_back({0, {std::string(first.empty() ? second : first), std::move(what)}});
  };
  if (config_.poll_period > config_.idle_time) {
    add(OriginOf("flows", "poll-period"), OriginOf("flows", "idle-time"),
        fmt::format("flows.poll-period: expected at most flows.idle-time, which is \"{}\", found "
                    "\"{}\"",
                    FormatDuration(config_.idle_time), FormatDuration(config_.poll_period)));
  }
  if (config_.socket == kInstanceLockPath) {
    add(OriginOf("agent", "socket"), {},
        fmt::format("agent.socket: expected another file than that of the lock, found \"{}\"", config_.socket));
  }
}

ConfigResult Reader::Finish() {
  if (problems_.empty()) return config_;
  // toml++ hands out keys by name; people read a file by line. What is not from the file comes last.
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Placed& a, const Placed& b) { return a.line - 1 < b.line - 1; });
  std::vector<ConfigProblem> problems;
  for (Placed& placed : problems_) problems.push_back(std::move(placed.problem));
  return tl::make_unexpected(std::move(problems));
}

// The whole file, or an errno.
tl::expected<std::string, int> ReadFile(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tl::make_unexpected(errno);
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t length = 0;
  while ((length = read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(length));
  }
  const int code = errno;
  close(fd);
  if (length < 0) return tl::make_unexpected(code);
  return text;
}

}  // namespace

std::string ToString(const ConfigProblem& problem) { return fmt::format("{}: {}", problem.where, problem.what); }

Config DefaultConfig() {
  Config config;
  for (const Setting& setting : Settings()) {
    const std::string text = DefaultText(setting);
    const bool quoted = text.size() >= 2 && text.front() == '"';
    const std::string bare = quoted ? text.substr(1, text.size() - 2) : text;
    // The table's own defaults fit its own ranges; a test holds it to that.
    (void)Assign(setting, ValueFromText(setting, bare), config);
  }
  return config;
}

ConfigResult ParseConfig(std::string_view text, std::string_view file, const std::vector<FlagValue>& flags) {
  Reader reader(file);
  reader.ReadDocument(text);
  for (const FlagValue& flag : flags) reader.ReadFlag(flag);
  reader.CheckTogether();
  return reader.Finish();
}

ConfigResult LoadConfig(const std::string& file, bool file_required, const std::vector<FlagValue>& flags) {
  const auto text = ReadFile(file);
  if (!text) {
    if (text.error() == ENOENT && !file_required) return ParseConfig("", file, flags);
    // The flags are still looked at, so that one run shows everything.
    auto flags_alone = ParseConfig("", file, flags);
    auto problems = flags_alone ? std::vector<ConfigProblem>() : std::move(flags_alone.error());
    problems.insert(problems.begin(),
                    {file, fmt::format("cannot be read: {}", std::system_category().message(text.error()))});
    return tl::make_unexpected(std::move(problems));
  }
  return ParseConfig(*text, file, flags);
}

}  // namespace dpuflow
