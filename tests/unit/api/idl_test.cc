// SPDX-License-Identifier: Apache-2.0
#include "agent/api/idl.h"

#include <gtest/gtest.h>

#include "agent/api/interfaces.h"

namespace dpuflow::api {
namespace {

std::string ErrorOf(std::string_view text) {
  const auto interface = ParseInterface(text);
  return interface ? "" : interface.error().extack;
}

TEST(Idl, OurInterfacesParse) {
  const auto agent = ParseInterface(kAgentInterface);
  ASSERT_TRUE(agent) << ToString(agent.error());
  EXPECT_EQ(agent->name, "io.dpuflow.Agent");
  for (const char* method :
       {"GetStatus", "ListPorts", "ListFlows", "GetFlow", "FlushFlows", "SetOffload", "Sync", "GetStats"}) {
    EXPECT_EQ(agent->methods.count(method), 1U) << method;
  }
  for (const char* error : {kNoSuchFlow, kNoSuchPort, kSyncTimeout, kNotReady, kBadMessage, kTooManyClients}) {
    EXPECT_EQ(agent->errors.count(std::string(error).substr(agent->name.size() + 1)), 1U) << error;
  }
  const auto service = ParseInterface(kServiceInterface);
  ASSERT_TRUE(service) << ToString(service.error());
  for (const char* error : {kInterfaceNotFound, kMethodNotFound, kMethodNotImplemented, kInvalidParameter,
                            kPermissionDenied, kExpectedMore}) {
    EXPECT_EQ(service->errors.count(std::string(error).substr(service->name.size() + 1)), 1U) << error;
  }
}

TEST(Idl, EveryFormOfTypeParses) {
  const auto interface = ParseInterface(
      "# comment\ninterface org.example.more-1\n"
      "type Kind (one, two)\ntype Empty ()\n"
      "type All (a: bool, b: ?int, c: []float, d: [string]string, e: ?[]Kind, f: (x, y), g: (n: int), h: object)\n"
      "method Do(all: All)->(empty: Empty) # at the end\nerror Broken (why: string)");
  ASSERT_TRUE(interface) << ToString(interface.error());
  const IdlType& all = interface->types.at("All");
  ASSERT_EQ(all.fields.size(), 8U);
  EXPECT_EQ(all.fields[1].type.kind, IdlType::Kind::kMaybe);
  EXPECT_EQ(all.fields[3].type.kind, IdlType::Kind::kDict);
  EXPECT_EQ(all.fields[4].type.element.front().kind, IdlType::Kind::kArray);
  EXPECT_EQ(all.fields[5].type.values, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(all.fields[6].type.fields.size(), 1U);
}

TEST(Idl, ErrorsNameLineExpectedAndFound) {
  EXPECT_EQ(ErrorOf(""), "line 1: expected interface, found the end");
  EXPECT_EQ(ErrorOf("interface nodots"), "line 1: expected the name of an interface, found nodots");
  EXPECT_EQ(ErrorOf("interface a.b-"), "line 1: expected the name of an interface, found a.b-");
  EXPECT_EQ(ErrorOf("interface a.b\n\nmethod Do() (x: int)"), "line 3: expected ->, found (");
  EXPECT_EQ(ErrorOf("interface a.b\nmethod do() -> ()"), "line 2: expected a name with a capital first, found do");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x_: int)"), "line 2: expected the name of a field, found x_");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x__y: int)"), "line 2: expected the name of a field, found x__y");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x: int, y)"), "line 2: expected a type, found y");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x, y: int)"), "line 2: expected names without types, found y");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x: int, x: int)"), "line 2: expected a new name, found x");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T ()\nerror T ()"), "line 3: expected a new name, found T");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x: Gone)"), "line 2: expected a type that is defined, found Gone");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x: ??int)"),
            "line 2: expected a type that is not optional already, found ?");
  EXPECT_EQ(ErrorOf("interface a.b\nmethod Do(a, b) -> ()"),
            "line 2: expected fields with types, found an enumeration");
  EXPECT_EQ(ErrorOf("interface a.b\ntype T (x: int"), "line 2: expected ), found the end");
  EXPECT_EQ(ErrorOf("interface a.b\nfunction T ()"), "line 2: expected type, method or error, found function");
  std::string deep = "interface a.b\ntype T (x: ";
  for (int i = 0; i < 100000; ++i) deep += "[]";
  EXPECT_EQ(ErrorOf(deep + "int)"), "line 2: expected less nesting, found another level");
}

TEST(Idl, EveryPrefixOfOurDefinitionIsHandled) {
  const std::string_view text = kAgentInterface;
  for (std::size_t size = 0; size < text.size(); size += 7) {
    static_cast<void>(ParseInterface(text.substr(0, size)));
  }
}

class Check : public testing::Test {
 protected:
  // "fits", or the path of what does not.
  std::string Against(const char* method, const char* json) {
    const auto path = Mismatch(*interface_, interface_->methods.at(method).input, Json::parse(json));
    return path ? "\"" + *path + "\"" : "fits";
  }
  Result<IdlInterface> interface_ = ParseInterface(kAgentInterface);
};

TEST_F(Check, ParametersFitOrAreNamed) {
  EXPECT_EQ(Against("GetFlow", R"({"id":7})"), "fits");
  EXPECT_EQ(Against("GetFlow", R"({})"), "\"id\"");
  EXPECT_EQ(Against("GetFlow", R"({"id":"7"})"), "\"id\"");
  EXPECT_EQ(Against("GetFlow", R"({"id":7.5})"), "\"id\"");
  EXPECT_EQ(Against("GetFlow", R"({"id":9223372036854775807})"), "fits");
  EXPECT_EQ(Against("GetFlow", R"({"id":9223372036854775808})"), "\"id\"");
  EXPECT_EQ(Against("GetFlow", R"({"id":7,"idd":1})"), "\"idd\"");
  EXPECT_EQ(Against("GetFlow", R"([])"), "\"\"");
  EXPECT_EQ(Against("ListFlows", R"({})"), "fits");
  EXPECT_EQ(Against("ListFlows", R"({"table":"l3","vlan":null})"), "fits");
  EXPECT_EQ(Against("ListFlows", R"({"table":"l4"})"), "\"table\"");
  EXPECT_EQ(Against("GetStatus", R"({"a":1})"), "\"a\"");
}

TEST_F(Check, PathLeadsIntoListsAndDictionaries) {
  const IdlType& reply = interface_->methods.at("GetStats").output;
  Json stats = Json::parse(R"({"counters":[{"name":"a","labels":{},"value":1,"kind":"counter"},
                              {"name":"b","labels":{"port":7},"value":1,"kind":"gauge"}]})");
  EXPECT_EQ(Mismatch(*interface_, reply, stats), "counters[1].labels.port");
  stats["counters"][1]["labels"]["port"] = "p0";
  EXPECT_EQ(Mismatch(*interface_, reply, stats), std::nullopt);
  stats["counters"][0] = 1;
  EXPECT_EQ(Mismatch(*interface_, reply, stats), "counters[0]");
}

TEST_F(Check, FieldsOfANewerServiceMayBeIgnored) {
  const IdlType& reply = interface_->methods.at("GetStats").output;
  const Json stats =
      Json::parse(R"({"later":1, "counters":[{"name":"a","labels":{},"value":1,"kind":"counter","more":2}]})");
  EXPECT_EQ(Mismatch(*interface_, reply, stats, UnknownFields::kRefused), "counters[0].more");
  EXPECT_EQ(Mismatch(*interface_, reply, stats, UnknownFields::kIgnored), std::nullopt);
  EXPECT_EQ(Mismatch(*interface_, reply, Json::parse(R"({"later":1})"), UnknownFields::kIgnored), "counters");
}

}  // namespace
}  // namespace dpuflow::api
