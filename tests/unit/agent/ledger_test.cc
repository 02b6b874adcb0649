// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/ledger.h"

#include <gtest/gtest.h>

namespace dpuflow::flow {
namespace {

TEST(Ledger, AMarkWaitsForWhatCameBeforeItAlone) {
  Ledger ledger;
  ledger.Open(ledger.now());
  const Epoch before = ledger.now();
  const Epoch mark = ledger.Mark();
  ledger.Open(ledger.now());  // comes in later, and never ends
  EXPECT_FALSE(ledger.ClosedThrough(mark));
  ledger.Close(before);
  EXPECT_TRUE(ledger.ClosedThrough(mark));
  EXPECT_FALSE(ledger.empty());
}

TEST(Ledger, CountsWorkOfOneEpoch) {
  Ledger ledger;
  ledger.Open(0);
  ledger.Open(0);
  ledger.Close(0);
  EXPECT_FALSE(ledger.empty());
  ledger.Close(0);
  EXPECT_TRUE(ledger.empty());
  EXPECT_TRUE(ledger.ClosedThrough(ledger.Mark()));
}

}  // namespace
}  // namespace dpuflow::flow
