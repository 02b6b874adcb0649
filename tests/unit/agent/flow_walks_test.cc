// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_walks.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace dpuflow {
namespace {

class FlowWalksTest : public testing::Test {
 protected:
  void Make(std::uint32_t flows) {
    for (std::uint32_t i = 0; i < flows; ++i) {
      flow::Match match;
      match.port = ++made_;
      table_.Obtain(match, {});
    }
  }
  FlowWalk Seeing(std::multiset<flow::FlowId>& seen) {
    return {[this, &seen] { seen.clear(), ++begun_; }, [&seen](const flow::Flow& flow) { seen.insert(flow.id); },
            [this] { ++done_; }};
  }
  std::set<flow::FlowId> All() const {
    std::set<flow::FlowId> ids;
    for (const auto& [id, flow] : table_.all()) ids.insert(id);
    return ids;
  }
  void ExpectAll(const std::multiset<flow::FlowId>& seen) const {
    EXPECT_EQ(std::set(seen.begin(), seen.end()), All());
    EXPECT_EQ(seen.size(), table_.size()) << "each once";
  }

  flow::FlowTable table_;
  FlowWalks walks_{table_};
  std::uint32_t made_ = 0;
  int begun_ = 0;
  int done_ = 0;
};

TEST_F(FlowWalksTest, InSlicesAndEachOnce) {
  Make(1000);
  std::multiset<flow::FlowId> seen;
  walks_.Add(Seeing(seen));
  EXPECT_TRUE(seen.empty()) << "not before a turn of the loop";
  int turns = 0;
  for (; !walks_.empty(); ++turns) {
    const std::size_t before = seen.size();
    walks_.Advance(100);
    EXPECT_LE(seen.size() - before, 120u) << "a few more, where they share a bucket";
    EXPECT_EQ(done_, walks_.empty() ? 1 : 0);
  }
  EXPECT_GE(turns, 8);
  EXPECT_EQ(begun_, 1);
  ExpectAll(seen);
}

TEST_F(FlowWalksTest, BeginsAgainWhereTheTableHasGrown) {
  Make(1000);
  std::multiset<flow::FlowId> seen;
  walks_.Add(Seeing(seen));
  walks_.Advance(500);
  Make(10'000);
  while (!walks_.empty()) walks_.Advance(500);
  EXPECT_EQ(begun_, 2);
  ExpectAll(seen);
}

TEST_F(FlowWalksTest, OneAfterTheOtherAndTheEndOfOneMayBeTheBeginningOfAnother) {
  Make(10);
  std::string order;
  const auto nothing = [](const flow::Flow&) {};
  walks_.Add({[] {}, nothing,
              [&] {
                order += 'a';
                walks_.Add({[] {}, nothing, [&] { order += 'c'; }});
              }});
  walks_.Add({[] {}, nothing, [&] { order += 'b'; }});
  while (!walks_.empty()) walks_.Advance(100);
  EXPECT_EQ(order, "abc");
}

TEST_F(FlowWalksTest, NoFlowsAreDoneAtOnce) {
  std::multiset<flow::FlowId> seen;
  walks_.Add(Seeing(seen));
  walks_.Advance(1);
  EXPECT_TRUE(walks_.empty());
  EXPECT_EQ(done_, 1);
}

}  // namespace
}  // namespace dpuflow
