// SPDX-License-Identifier: Apache-2.0
//
// Server and client over real sockets: the server's loop runs in the test's thread, clients in others.
#include "agent/api/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/api/client.h"

namespace dpuflow::api {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr auto kPatience = 20s;  // a test that waits longer has failed

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    std::string name = std::filesystem::temp_directory_path() / "dpuflow_api_XXXXXX";
    directory_ = mkdtemp(name.data());
    options_.socket_path = directory_ + "/run/test.sock";
    EXPECT_EQ(sd_event_new(&loop_), 0);
    service_.Register("io.dpuflow.Agent.GetFlow", [this](const Json& parameters, Call call) {
      uid_ = call.peer().uid;
      if (parameters["id"] != 7) return call.Error(kNoSuchFlow, {{"id", parameters["id"]}});
      call.Reply({{"flow", {{"id", 7}}}});
    });
    service_.Register("io.dpuflow.Agent.ListFlows", [this](const Json&, Call call) {
      call.Stream([this, id = 0]() mutable -> std::optional<Json> {
        if (id == flows_) return std::nullopt;
        ++generated_;
        return Json{{"flow", {{"id", ++id}, {"filler", filler_}}}};
      });
    });
    service_.Register("io.dpuflow.Agent.Sync", [this](const Json&, Call call) { sync_.push_back(std::move(call)); });
  }
  ~ServerTest() override {
    sync_.clear();
    server_.reset();
    sd_event_unref(loop_);
    std::filesystem::remove_all(directory_);
  }

  Result<void> Start() {
    server_ = std::make_unique<Server>(service_, loop_, options_);
    return server_->Listen();
  }
  // One turn of the loop; false where nothing happened for a short while.
  bool Turn(std::uint64_t wait_us = 20000) { return sd_event_run(loop_, wait_us) > 0; }
  // Turns the loop until `done`, or time is up.
  template <typename Done>
  bool TurnUntil(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      Turn();
    }
    return true;
  }
  // Runs `work` in a thread of its own and the loop here, until both are done with it.
  template <typename Work>
  auto WithLoop(Work work) {
    decltype(work()) result{};
    std::atomic<bool> done = false;
    std::thread thread([&] {
      result = work();
      done = true;
    });
    EXPECT_TRUE(TurnUntil([&] { return done.load(); }));
    thread.join();
    return result;
  }
  Client Connect() {
    auto client = Client::Connect(options_.socket_path, kPatience);
    EXPECT_TRUE(client) << ToString(client.error());
    return std::move(*client);
  }
  // A pair of connected sockets; the server has the other one.
  int ConnectRaw() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    EXPECT_TRUE(server_->Adopt(fds[0]));
    return fds[1];
  }
  static void SendRaw(int fd, const std::string& bytes) {
    EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // Everything until the server closes.
  std::string ReadToEnd(int fd) {
    return WithLoop([fd] {
      std::string all;
      char chunk[4096];
      for (ssize_t size; (size = read(fd, chunk, sizeof chunk)) > 0;) all.append(chunk, static_cast<std::size_t>(size));
      return all;
    });
  }
  static std::string Request(const char* method, const char* rest = "") {
    return R"({"method":"io.dpuflow.Agent.)"s + method + "\"" + rest + "}" + '\0';
  }

  std::string directory_;
  ServerOptions options_;
  sd_event* loop_ = nullptr;
  Service service_{{"Vendor", "Product", "1", "https://example.com"}};
  std::unique_ptr<Server> server_;
  std::vector<Call> sync_;
  uid_t uid_ = static_cast<uid_t>(-1);
  int flows_ = 10;
  int generated_ = 0;
  std::string filler_ = std::string(200, '.');
};

TEST_F(ServerTest, CallAndErrorGoThereAndBack) {
  ASSERT_TRUE(Start());
  Client client = Connect();
  const auto good = WithLoop([&] { return client.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); });
  ASSERT_TRUE(good) << ToString(good.error());
  EXPECT_EQ(good->error, "");
  EXPECT_EQ(good->parameters["flow"]["id"], 7);
  const auto bad = WithLoop([&] { return client.Call("io.dpuflow.Agent.GetFlow", {{"id", 8}}); });
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->error, kNoSuchFlow);
  EXPECT_EQ(bad->parameters["id"], 8);
  EXPECT_EQ(uid_, getuid());
  EXPECT_EQ(server_->clients(), 1U);
}

TEST_F(ServerTest, SocketIsMadeWithItsDirectoryAndMode) {
  ASSERT_TRUE(Start());
  struct stat found {};
  ASSERT_EQ(stat(options_.socket_path.c_str(), &found), 0);
  EXPECT_TRUE(S_ISSOCK(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777, 0660U);
  ASSERT_EQ(stat((directory_ + "/run").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0755U);
  server_->Stop();
  EXPECT_FALSE(std::filesystem::exists(options_.socket_path));
}

TEST_F(ServerTest, StaleSocketIsReplaced) {
  ASSERT_TRUE(Start());
  const std::string saved = options_.socket_path + ".saved";
  std::filesystem::rename(options_.socket_path, saved);  // survives the stop, as after a crash
  server_.reset();
  std::filesystem::rename(saved, options_.socket_path);
  const auto again = Start();
  ASSERT_TRUE(again) << ToString(again.error());
  Client client = Connect();
  EXPECT_TRUE(WithLoop([&] { return client.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); }));
}

TEST_F(ServerTest, LiveSocketIsLeftAlone) {
  ASSERT_TRUE(Start());
  {
    Server second(service_, loop_, options_);
    const auto listening = second.Listen();
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().code, EADDRINUSE);
    EXPECT_NE(ToString(listening.error()).find(options_.socket_path), std::string::npos);
  }
  Client client = Connect();
  EXPECT_TRUE(WithLoop([&] { return client.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); }));
}

TEST_F(ServerTest, FileThatIsNoSocketIsLeftAlone) {
  std::filesystem::create_directory(directory_ + "/run");
  std::ofstream(options_.socket_path) << "precious";
  const auto listening = Start();
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().code, EEXIST);
  server_.reset();
  EXPECT_TRUE(std::filesystem::exists(options_.socket_path));
}

TEST_F(ServerTest, SocketOfASuccessorIsNotRemoved) {
  ASSERT_TRUE(Start());
  std::filesystem::remove(options_.socket_path);
  Server successor(service_, loop_, options_);
  ASSERT_TRUE(successor.Listen());
  server_->Stop();
  EXPECT_TRUE(std::filesystem::exists(options_.socket_path));
}

TEST_F(ServerTest, PathThatDoesNotFitIsRefused) {
  options_.socket_path = directory_ + "/" + std::string(120, 'x');
  EXPECT_EQ(Start().error().code, ENAMETOOLONG);
}

TEST_F(ServerTest, LongStreamArrivesWholeAndInOrder) {
  flows_ = 20000;
  ASSERT_TRUE(Start());
  Client client = Connect();
  std::int64_t last = 0;
  const auto end = WithLoop([&] {
    return client.Stream("io.dpuflow.Agent.ListFlows", Json::object(), [&last](const Json& parameters) {
      const auto id = parameters["flow"]["id"].get<std::int64_t>();
      EXPECT_EQ(id, last + 1);
      last = id;
      return true;
    });
  });
  ASSERT_TRUE(end) << ToString(end.error());
  EXPECT_EQ(last, 20000);
  // The connection is good for more.
  EXPECT_TRUE(WithLoop([&] { return client.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); }));
}

TEST_F(ServerTest, ReaderThatStopsHoldsNothingUp) {
  flows_ = 100000;
  ASSERT_TRUE(Start());
  const int lazy = ConnectRaw();
  SendRaw(lazy, Request("ListFlows", R"(,"more":true)"));
  while (Turn()) {
  }
  // What the socket's buffers and one output queue take, and no more; the loop is idle.
  EXPECT_GT(generated_, 0);
  EXPECT_LT(generated_, 5000);
  Client other = Connect();
  EXPECT_TRUE(WithLoop([&] { return other.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); }));
  // It goes on where it stopped.
  const std::string all = WithLoop([&] {
    shutdown(lazy, SHUT_WR);
    std::string bytes;
    char chunk[65536];
    for (ssize_t size; (size = read(lazy, chunk, sizeof chunk)) > 0;)
      bytes.append(chunk, static_cast<std::size_t>(size));
    return bytes;
  });
  EXPECT_EQ(std::count(all.begin(), all.end(), '\0'), 100000);
  close(lazy);
}

TEST_F(ServerTest, ClientGoneInMidStreamIsForgotten) {
  flows_ = 100000;
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  SendRaw(fd, Request("ListFlows", R"(,"more":true)"));
  Turn();
  Turn();
  close(fd);
  EXPECT_TRUE(TurnUntil([&] { return server_->clients() == 0; }));
  EXPECT_LT(generated_, 5000);
}

TEST_F(ServerTest, ClientThatStopsReadingAndKeepsWritingIsForgotten) {
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  shutdown(fd, SHUT_RD);
  SendRaw(fd, Request("GetFlow", R"(,"parameters":{"id":7})"));
  EXPECT_TRUE(TurnUntil([&] { return server_->clients() == 0; }));
  close(fd);
}

TEST_F(ServerTest, ClientGoneBeforeALaterAnswer) {
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  SendRaw(fd, Request("Sync"));
  ASSERT_TRUE(TurnUntil([&] { return !sync_.empty(); }));
  EXPECT_TRUE(sync_.front().is_open());
  close(fd);
  EXPECT_TRUE(TurnUntil([&] { return server_->clients() == 0; }));
  EXPECT_FALSE(sync_.front().is_open());
  sync_.front().Reply();
}

TEST_F(ServerTest, LaterAnswerIsSent) {
  ASSERT_TRUE(Start());
  Client client = Connect();
  sd_event_source* timer = nullptr;
  ASSERT_GE(sd_event_add_time_relative(
                loop_, &timer, CLOCK_MONOTONIC, 30000, 0,
                [](sd_event_source*, std::uint64_t, void* calls) {
                  static_cast<std::vector<Call>*>(calls)->front().Reply({{"took_ms", 30}});
                  return 0;
                },
                &sync_),
            0);
  const auto reply = WithLoop([&] { return client.Call("io.dpuflow.Agent.Sync"); });
  sd_event_source_unref(timer);
  ASSERT_TRUE(reply) << ToString(reply.error());
  EXPECT_EQ(reply->parameters["took_ms"], 30);
}

TEST_F(ServerTest, OnewayCallsOfAClientThatClosesAtOnceAreDone) {
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  for (int i = 0; i < 3; ++i) SendRaw(fd, Request("Sync", R"(,"oneway":true)"));
  close(fd);
  EXPECT_TRUE(TurnUntil([&] { return server_->clients() == 0; }));
  EXPECT_EQ(sync_.size(), 3U);
}

TEST_F(ServerTest, HalfClosedClientGetsItsAnswer) {
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  SendRaw(fd, Request("GetFlow", R"(,"parameters":{"id":7})"));
  shutdown(fd, SHUT_WR);
  EXPECT_EQ(ReadToEnd(fd), R"({"parameters":{"flow":{"id":7}}})"s + '\0');
  close(fd);
}

TEST_F(ServerTest, GarbageIsAnsweredAndTheConnectionClosed) {
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  SendRaw(fd, "\x16\x03\x01 nonsense\0"s);
  const std::string answer = ReadToEnd(fd);
  EXPECT_NE(answer.find("io.dpuflow.Agent.BadMessage"), std::string::npos) << answer;
  EXPECT_EQ(server_->clients(), 0U);
  close(fd);
}

TEST_F(ServerTest, EndlessRequestIsCutOff) {
  ASSERT_TRUE(Start());
  Client client = Connect();
  const auto reply = WithLoop([&] {
    return client.Call("io.dpuflow.Agent.GetFlow", {{"id", std::string(1024 * 1024, 'x')}});
  });
  ASSERT_TRUE(reply) << ToString(reply.error());  // the reason arrives although writing failed
  EXPECT_EQ(reply->error, kBadMessage);
}

TEST_F(ServerTest, OneClientTooManyIsTold) {
  options_.max_clients = 2;
  ASSERT_TRUE(Start());
  Client first = Connect();
  Client second = Connect();
  ASSERT_TRUE(TurnUntil([&] { return server_->clients() == 2; }));
  {
    Client third = Connect();
    const auto reply = WithLoop([&] { return third.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); });
    ASSERT_TRUE(reply) << ToString(reply.error());
    EXPECT_EQ(reply->error, kTooManyClients);
    EXPECT_EQ(reply->parameters["limit"], 2);
  }
  EXPECT_EQ(server_->counters(), (ServerCounters{2, 1, 0}));
  EXPECT_TRUE(WithLoop([&] { return first.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}); }));
}

TEST_F(ServerTest, NoDescriptorLeftTurnsClientsAwayAndDoesNotSpin) {
  ASSERT_TRUE(Start());
  Client client = Connect();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const int next = dup(0);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  close(next);
  sd_event* loop = loop_;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  // Not through Turn(): UBSan needs a descriptor to check a call on an object that has virtual functions.
  while (sd_event_run(loop, 20000) > 0) {
  }
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(server_->counters().accept_failures, 1U);
  const auto reply = client.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}});
  ASSERT_TRUE(reply) << ToString(reply.error());
  EXPECT_EQ(reply->error, kTooManyClients);
}

TEST_F(ServerTest, StopSendsWhatIsReadyAndCloses) {
  ASSERT_TRUE(Start());
  const int fd = ConnectRaw();
  SendRaw(fd, Request("Sync"));
  ASSERT_TRUE(TurnUntil([&] { return !sync_.empty(); }));
  sync_.clear();  // the daemon gives up what it has not answered
  server_->Stop();
  char chunk[4096];
  const ssize_t size = read(fd, chunk, sizeof chunk);
  ASSERT_GT(size, 0);
  EXPECT_NE(std::string(chunk, static_cast<std::size_t>(size)).find(kNotReady), std::string::npos);
  EXPECT_EQ(read(fd, chunk, sizeof chunk), 0);
  close(fd);
}

TEST_F(ServerTest, ClientStopsWaitingInTime) {
  ASSERT_TRUE(Start());
  Client client = Connect();
  client.set_timeout(50ms);
  const auto reply = WithLoop([&] { return client.Call("io.dpuflow.Agent.Sync"); });
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ETIMEDOUT);
}

TEST_F(ServerTest, ClientMayLeaveAStream) {
  flows_ = 100000;
  ASSERT_TRUE(Start());
  Client client = Connect();
  int seen = 0;
  EXPECT_TRUE(WithLoop([&] {
    return client.Stream("io.dpuflow.Agent.ListFlows", Json::object(), [&seen](const Json&) { return ++seen < 5; });
  }));
  EXPECT_EQ(seen, 5);
  EXPECT_FALSE(client.Call("io.dpuflow.Agent.GetFlow", {{"id", 7}}));
  EXPECT_TRUE(TurnUntil([&] { return server_->clients() == 0; }));
}

TEST(ClientTest, NobodyThere) {
  const auto missing = Client::Connect("/nonexistent/dpuflowd.sock", 1s);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
}

TEST(ClientTest, PeerThatSpeaksSomethingElse) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  Client client(fds[0], 1s);
  ASSERT_EQ(write(fds[1], "220 mail\0", 9), 9);
  EXPECT_EQ(client.Call("a.b.C").error().code, EBADMSG);
  close(fds[1]);
  const auto closed = client.Call("a.b.C");
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code, ECONNRESET);
}

}  // namespace
}  // namespace dpuflow::api
