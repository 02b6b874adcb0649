// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/unit/daemon/temporary_directory.h"

namespace dpuflow {
namespace {

// The manager's side: a datagram socket that NOTIFY_SOCKET names.
class Notify : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_.File("notify");
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    auto loop = EventLoop::Create();
    ASSERT_TRUE(loop);
    loop_ = std::move(*loop);
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
    close(fd_);
  }
  // The next message that was sent; empty when there is none.
  std::string Received() const {
    std::array<char, 256> buffer{};
    const ssize_t length = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return {buffer.data(), static_cast<std::size_t>(length > 0 ? length : 0)};
  }

  TemporaryDirectory directory_;
  int fd_ = -1;
  std::unique_ptr<EventLoop> loop_;
};

TEST_F(Notify, TellsTheManagerHowItStands) {
  auto manager = ServiceManager::Create(*loop_);
  ASSERT_TRUE(manager);
  EXPECT_EQ(manager->watchdog_period(), std::nullopt);
  manager->Ready("5 ports");
  EXPECT_EQ(Received(), "READY=1\nSTATUS=5 ports");
  manager->Status("a\nREADY=0");
  EXPECT_EQ(Received(), "STATUS=a READY=0");
  manager->Stopping();
  EXPECT_EQ(Received(), "STOPPING=1");
}

TEST_F(Notify, FeedsTheWatchdogThatWasAskedFor) {
  setenv("WATCHDOG_USEC", "30000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const auto manager = ServiceManager::Create(*loop_);
  ASSERT_TRUE(manager);
  EXPECT_EQ(manager->watchdog_period(), std::chrono::microseconds(10000));
  EXPECT_EQ(Received(), "");
  EXPECT_EQ(loop_->RunOnce(std::chrono::seconds(10)), true);
  EXPECT_EQ(Received(), "WATCHDOG=1");
}

TEST_F(Notify, AWatchdogOfAnotherProcessIsNotOurs) {
  setenv("WATCHDOG_USEC", "30000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  const auto manager = ServiceManager::Create(*loop_);
  ASSERT_TRUE(manager);
  EXPECT_EQ(manager->watchdog_period(), std::nullopt);
}

TEST_F(Notify, AWatchdogTimeThatIsNoNumberIsAnError) {
  setenv("WATCHDOG_USEC", "soon", 1);
  const auto manager = ServiceManager::Create(*loop_);
  ASSERT_FALSE(manager);
  EXPECT_EQ(manager.error().doing, "read WATCHDOG_USEC");
}

TEST_F(Notify, WithoutAManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  auto manager = ServiceManager::Create(*loop_);
  ASSERT_TRUE(manager);
  manager->Ready("5 ports");
  EXPECT_EQ(Received(), "");
}

}  // namespace
}  // namespace dpuflow
