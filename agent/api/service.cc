// SPDX-License-Identifier: Apache-2.0
#include "agent/api/service.h"

#include <cerrno>
#include <utility>

#include "agent/api/interfaces.h"

namespace dpuflow::api {
namespace {

// "io.dpuflow.Agent.GetFlow" -> "io.dpuflow.Agent" and "GetFlow". Without a dot: all of it is the interface.
std::pair<std::string_view, std::string_view> SplitMethod(std::string_view method) {
  const std::size_t dot = method.rfind('.');
  if (dot == std::string_view::npos) return {method, {}};
  return {method.substr(0, dot), method.substr(dot + 1)};
}

// An optional parameter that is null is the same as one that is not there: handlers see one of the two.
Json WithoutNulls(const Json& parameters) {
  Json result = Json::object();
  for (const auto& [name, value] : parameters.items()) {
    if (!value.is_null()) result[name] = value;
  }
  return result;
}

}  // namespace

Service::Service(ServiceInfo info) : info_(std::move(info)) {
  for (const char* description : {kServiceInterface, kAgentInterface}) {
    // Both are part of this program and parse; a unit test says so.
    static_cast<void>(AddInterface(description));
  }
  RegisterStandard();
}

Result<void> Service::AddInterface(std::string description) {
  Result<IdlInterface> idl = ParseInterface(description);
  if (!idl) return tl::make_unexpected(std::move(idl.error()));
  std::string name = idl->name;
  if (interfaces_.count(name) != 0) return MakeError(EEXIST, "add interface " + name);
  interfaces_.emplace(std::move(name), Interface{std::move(description), std::move(*idl)});
  return {};
}

void Service::Register(std::string method, Handler handler) { handlers_[std::move(method)] = std::move(handler); }

std::vector<std::string> Service::Mismatched() const {
  std::vector<std::string> names;
  for (const auto& [interface_name, interface] : interfaces_) {
    for (const auto& [name, unused] : interface.idl.methods) {
      std::string method = fmt::format("{}.{}", interface_name, name);
      if (handlers_.count(method) == 0) names.push_back(std::move(method));
    }
  }
  for (const auto& [method, unused] : handlers_) {
    const auto [interface_name, name] = SplitMethod(method);
    const auto interface = interfaces_.find(interface_name);
    if (interface == interfaces_.end() || interface->second.idl.methods.count(name) == 0) {
      names.push_back(method);
    }
  }
  return names;
}

void Service::Dispatch(const Request& request, Call call) const {
  ++counters_.calls;
  const auto [interface_name, method_name] = SplitMethod(request.method);
  const auto interface = interfaces_.find(interface_name);
  if (interface == interfaces_.end()) {
    return call.Error(kInterfaceNotFound, {{"interface", interface_name}});
  }
  const IdlInterface& idl = interface->second.idl;
  const auto method = idl.methods.find(method_name);
  if (method == idl.methods.end()) {
    return call.Error(kMethodNotFound, {{"method", request.method}});
  }
  const auto handler = handlers_.find(request.method);
  if (handler == handlers_.end()) {
    return call.Error(kMethodNotImplemented, {{"method", request.method}});
  }
  if (const auto path = Mismatch(idl, method->second.input, request.parameters)) {
    return call.InvalidParameter(*path);
  }
  handler->second(WithoutNulls(request.parameters), std::move(call));
}

void Service::RegisterStandard() {
  Register("org.varlink.service.GetInfo", [this](const Json&, Call call) {
    Json interfaces = Json::array();
    for (const auto& [name, unused] : interfaces_) interfaces.push_back(name);
    call.Reply({{"vendor", info_.vendor},
                {"product", info_.product},
                {"version", info_.version},
                {"url", info_.url},
                {"interfaces", std::move(interfaces)}});
  });
  Register("org.varlink.service.GetInterfaceDescription", [this](const Json& parameters, Call call) {
    const auto found = interfaces_.find(parameters["interface"].get<std::string>());
    if (found == interfaces_.end()) {
      return call.Error(kInterfaceNotFound, {{"interface", parameters["interface"]}});
    }
    call.Reply({{"description", found->second.description}});
  });
}

}  // namespace dpuflow::api
