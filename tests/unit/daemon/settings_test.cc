// SPDX-License-Identifier: Apache-2.0
//
// The table against itself, and against what is written about it: the default file and the man page.
#include "agent/daemon/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace dpuflow {
namespace {

std::string FileText(const std::string& name) {
  std::ifstream stream(std::string(DPUFLOW_TREE "/") + name);
  EXPECT_TRUE(stream) << name;
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

TEST(Settings, HaveNamesOfTheirOwn) {
  std::set<std::string> names;
  std::set<std::string_view> flags;
  for (const Setting& setting : Settings()) {
    EXPECT_TRUE(names.insert(FullName(setting)).second) << FullName(setting);
    if (setting.flag.empty()) continue;
    EXPECT_TRUE(setting.flag.starts_with("--"));
    EXPECT_TRUE(flags.insert(setting.flag).second) << setting.flag;
  }
}

TEST(Settings, HaveDefaultsWithinTheirOwnRange) {
  for (const Setting& setting : Settings()) {
    std::string text = DefaultText(setting);
    if (text.front() == '"') text = text.substr(1, text.size() - 2);
    Config config;
    EXPECT_EQ(Assign(setting, ValueFromText(setting, text), config), std::nullopt) << FullName(setting);
  }
}

TEST(Settings, AValueThatDoesNotFitLeavesTheConfigurationAlone) {
  for (const Setting& setting : Settings()) {
    Config config = DefaultConfig();
    EXPECT_TRUE(Assign(setting, FoundOther{"a table"}, config)) << FullName(setting);
    EXPECT_EQ(config, DefaultConfig());
  }
}

// packaging/dpuflowd.toml shows each setting, commented out, with its default: so it means the defaults as it is, and
// still does when every line is uncommented.
TEST(Settings, TheDefaultFileShowsEachOneWithItsDefault) {
  const std::string text = FileText("packaging/dpuflowd.toml");
  const auto as_it_is = ParseConfig(text, "dpuflowd.toml");
  ASSERT_TRUE(as_it_is) << ToString(as_it_is.error().front());
  EXPECT_EQ(*as_it_is, DefaultConfig());

  std::string uncommented = text;
  for (const Setting& setting : Settings()) {
    const std::string line = fmt::format("\n#{} = {}\n", setting.key, DefaultText(setting));
    const auto at = uncommented.find(line);
    ASSERT_NE(at, std::string::npos) << line;
    uncommented.erase(at + 1, 1);
  }
  EXPECT_EQ(uncommented.find("\n#", uncommented.find("\n[")), uncommented.find("\n# ", uncommented.find("\n[")))
      << "a setting that is not in the table";
  const auto with_all = ParseConfig(uncommented, "dpuflowd.toml");
  ASSERT_TRUE(with_all) << ToString(with_all.error().front());
  EXPECT_EQ(*with_all, DefaultConfig());
}

TEST(Settings, TheManPagesNameEachOne) {
  // roff writes a hyphen that is to be typed as \-, and a quotation mark after a macro as \(dq.
  const auto typed = [](std::string_view text) {
    std::string roff;
    for (const char c : text) roff += c == '-' ? "\\-" : c == '"' ? "\\(dq" : std::string(1, c);
    return roff;
  };
  const std::string settings_page = FileText("man/dpuflowd.toml.5");
  const std::string daemon_page = FileText("man/dpuflowd.8");
  for (const Setting& setting : Settings()) {
    const std::string item = fmt::format("\n.B {} = {}\n", typed(setting.key), typed(DefaultText(setting)));
    EXPECT_NE(settings_page.find(item), std::string::npos) << item;
    if (setting.flag.empty()) continue;
    EXPECT_NE(daemon_page.find(typed(setting.flag)), std::string::npos) << setting.flag;
  }
}

}  // namespace
}  // namespace dpuflow
