// SPDX-License-Identifier: Apache-2.0
//
// The dpuflowctl binary as people run it: exit codes, what goes to which stream, and JSON; against a service with
// flows made up here.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "agent/api/server.h"

namespace dpuflow {
namespace {

using api::Call;
using api::Json;
using namespace std::string_literals;

struct Outcome {
  int code = -1;
  std::string text;  // both streams where the command says so
};

Outcome RunShell(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "re");
  Outcome outcome;
  std::array<char, 4096> chunk;
  for (std::size_t size; (size = fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
    outcome.text.append(chunk.data(), size);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

class CtlProgram : public testing::Test {
 protected:
  CtlProgram() {
    std::string name = std::filesystem::temp_directory_path() / "dpuflow_ctl_XXXXXX";
    directory_ = mkdtemp(name.data());
    socket_ = directory_ + "/d.sock";
  }
  ~CtlProgram() override {
    if (thread_.joinable()) {
      stop_ = true;
      thread_.join();
    }
    std::filesystem::remove_all(directory_);
  }

  // A daemon with `flows` flows, in a thread of its own. Of the flow with the id `odd` it says the id only.
  void StartDaemon(int flows, int odd = 0) {
    std::atomic<bool> listening = false;
    thread_ = std::thread([this, flows, odd, &listening] {
      sd_event* loop = nullptr;
      EXPECT_EQ(sd_event_new(&loop), 0);
      {
        api::Service service({"dpuflow", "dpuflowd", "9.9", "https://example.com"});
        Fill(service, flows, odd);
        api::ServerOptions options;
        options.socket_path = socket_;
        api::Server server(service, loop, options);
        EXPECT_TRUE(server.Listen());
        listening = true;
        while (!stop_) sd_event_run(loop, 5000);
      }
      sd_event_unref(loop);
    });
    while (!listening) std::this_thread::yield();
  }

  static Json Flow(int id) {
    return {{"id", id},
            {"table", "l3"},
            {"port", "pf0vf0"},
            {"ifindex", 3},
            {"ethertype", 2048},
            {"match", {{"destination", "10.0.0.1"}}},
            {"actions", Json::object()},
            {"state", "offloaded"},
            {"age_ms", 0},
            {"idle_ms", 0},
            {"packets", 0},
            {"bytes", 0},
            {"packets_per_second", 0},
            {"bits_per_second", 0}};
  }

  static void Fill(api::Service& service, int flows, int odd) {
    service.Register("io.dpuflow.Agent.ListFlows", [flows, odd](const Json& parameters, Call call) {
      if (parameters.contains("state")) return call.Error(api::kNotReady, {{"reason", "it is a test"}});
      call.Stream([flows, odd, id = 0]() mutable -> std::optional<Json> {
        if (id == flows) return std::nullopt;
        ++id;
        return Json{{"flow", id == odd ? Json{{"id", id}} : Flow(id)}};
      });
    });
    service.Register("io.dpuflow.Agent.GetFlow", [](const Json& parameters, Call call) {
      if (parameters["id"] == 2) return call.Reply({{"flow", {{"id", 2}}}});
      if (parameters["id"] != 1) return call.Error(api::kNoSuchFlow, {{"id", parameters["id"]}});
      call.Reply({{"flow", Flow(1)}});
    });
    service.Register("io.dpuflow.Agent.FlushFlows", [](const Json&, Call call) { call.Reply({{"count", 3}}); });
    service.Register("io.dpuflow.Agent.GetStats", [](const Json&, Call call) { call.Reply(Json::object()); });
    service.Register("io.dpuflow.Agent.GetStatus", [](const Json&, Call call) { call.Reply({{"version", "9.9"}}); });
  }

  Outcome Ctl(const std::string& arguments) const {
    return RunShell("DPUFLOW_SOCKET="s + socket_ + " " + DPUFLOWCTL + " " + arguments);
  }

  std::string directory_;
  std::string socket_;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
};

TEST_F(CtlProgram, StoppedDaemonIsExitCodeThreeAndOneLine) {
  for (const char* command : {"status", "port", "flow show", "flow get 1", "flow flush", "sync", "stats", "-j flow",
                              "explain 192.0.2.1 from 10.0.0.1 iif p0"}) {
    const Outcome outcome = Ctl(command + " 2>&1"s);
    EXPECT_EQ(outcome.code, 3) << command;
    EXPECT_EQ(outcome.text, "dpuflowctl: dpuflowd is not running: nobody listens on " + socket_ +
                                " (to start it: systemctl start dpuflowd)\n");
    EXPECT_EQ(Ctl(command + " 2>/dev/null"s).text, "") << command;
  }
}

TEST_F(CtlProgram, StaleSocketIsAStoppedDaemon) {
  StartDaemon(0);
  std::filesystem::rename(socket_, socket_ + ".saved");
  stop_ = true;
  thread_.join();
  std::filesystem::rename(socket_ + ".saved", socket_);
  EXPECT_EQ(Ctl("status 2>&1").code, 3);
}

TEST_F(CtlProgram, VersionIsToldWithAndWithoutDaemon) {
  EXPECT_EQ(Ctl("version").text, "dpuflowctl " DPUFLOW_VERSION "\ndpuflowd is not running\n");
  EXPECT_EQ(Ctl("-V").text, "dpuflowctl " DPUFLOW_VERSION "\n");
  StartDaemon(0);
  EXPECT_EQ(Ctl("version").text, "dpuflowctl " DPUFLOW_VERSION "\ndpuflowd 9.9\n");
  EXPECT_EQ(Ctl("-j version").text, R"({"dpuflowctl":")" DPUFLOW_VERSION R"(","dpuflowd":"9.9"})"
                                    "\n");
}

TEST_F(CtlProgram, UsageIsExitCodeTwo) {
  EXPECT_EQ(Ctl("flow frob 2>/dev/null").code, 2);
  EXPECT_EQ(Ctl("2>/dev/null").code, 2);
  EXPECT_EQ(Ctl("help").code, 0);
}

TEST_F(CtlProgram, ErrorOfTheDaemonIsExitCodeOne) {
  StartDaemon(0);
  const Outcome missing = Ctl("flow get 8 2>&1");
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.text, "dpuflowctl: no flow has the id 8\n");
  EXPECT_EQ(Ctl("-j flow show state waiting 2>/dev/null").code, 1);
  EXPECT_EQ(Ctl("port 2>&1").text,
            "dpuflowctl: this dpuflowd has no io.dpuflow.Agent.ListPorts; is it of another version?\n");
}

TEST_F(CtlProgram, ReplyThatLacksFieldsIsAnErrorAndNotARowOfDashes) {
  StartDaemon(0);
  const std::pair<const char*, const char*> kCases[] = {
      {"status", "GetStatus in an unexpected way: pid"},
      {"-j status", "GetStatus in an unexpected way: pid"},
      {"stats", "GetStats in an unexpected way: counters"},
      {"flow get 2", "GetFlow in an unexpected way: flow.table"},
  };
  for (const auto& [command, text] : kCases) {
    const Outcome outcome = Ctl(command + " 2>&1"s);
    EXPECT_EQ(outcome.code, 1) << command;
    EXPECT_EQ(outcome.text,
              "dpuflowctl: dpuflowd answers "s + text + " is missing or not as defined; is it of another version?\n");
    EXPECT_EQ(Ctl(command + " 2>/dev/null"s).text, "") << command;
  }
}

TEST_F(CtlProgram, ListEndsAtTheReplyThatLacksFields) {
  StartDaemon(3, 2);
  const Outcome outcome = Ctl("flow 2>&1");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("ListFlows in an unexpected way: flow.table"), std::string::npos) << outcome.text;
  EXPECT_EQ(Ctl("-j flow 2>/dev/null").code, 1);
}

TEST_F(CtlProgram, JsonIsOneArrayOrObject) {
  StartDaemon(3);
  const Outcome flows = Ctl("-j flow");
  EXPECT_EQ(flows.code, 0);
  EXPECT_EQ(Json::parse(flows.text, nullptr, false), Json::array({Flow(1), Flow(2), Flow(3)}));
  EXPECT_EQ(std::count(flows.text.begin(), flows.text.end(), '\n'), 1);
  EXPECT_EQ(Ctl("-p flow").text, Json::array({Flow(1), Flow(2), Flow(3)}).dump(4) + "\n");
  EXPECT_EQ(Ctl("-j flow get 1").text, Flow(1).dump() + "\n");
  EXPECT_EQ(Ctl("-j flow flush").text, "{\"count\":3}\n");
  EXPECT_EQ(Ctl("flow flush").text, "removed 3 flows\n");
}

TEST_F(CtlProgram, NoFlowsIsAnEmptyArrayAndNoText) {
  StartDaemon(0);
  EXPECT_EQ(Ctl("-j flow").text, "[]\n");
  EXPECT_EQ(Ctl("-p flow").text, "[]\n");
  EXPECT_EQ(Ctl("flow").text, "");
}

TEST_F(CtlProgram, ReaderThatGoesIsNoError) {
  StartDaemon(20000);
  EXPECT_EQ(Ctl("flow 2>&1 | head -n 1").text, " ID TABLE PORT   KEY      TO STATE     IDLE RATE\n");
  // Where SIGPIPE is ignored, too: the error stream stays empty.
  const std::string complaints = directory_ + "/complaints";
  RunShell("trap '' PIPE; DPUFLOW_SOCKET=" + socket_ + " " + DPUFLOWCTL + " -j flow 2>" + complaints + " | head -c 1");
  EXPECT_TRUE(std::filesystem::is_empty(complaints));
}

TEST_F(CtlProgram, FullDiskIsAnError) {
  StartDaemon(3);
  const Outcome outcome = Ctl("flow 2>&1 >/dev/full");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.text, "dpuflowctl: cannot write: No space left on device\n");
}

}  // namespace
}  // namespace dpuflow
