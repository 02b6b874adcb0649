// SPDX-License-Identifier: Apache-2.0
//
// Values of which thousands of flows have the same: kept once, and compared by where they stand.
//
//   Pool<Action> actions;
//   Interned<Action> one = actions.Get(action);   // eight bytes; empty by default
//
// A value goes with the last that refers to it. All on one thread; a pool outlives what it has given.
#pragma once

#include <cstddef>
#include <functional>
#include <unordered_set>
#include <utility>

namespace dpuflow::flow {

template <typename T>
class Pool;

template <typename T>
class Interned {
 public:
  Interned() = default;
  Interned(const Interned& other) : node_(other.node_) {
    if (node_ != nullptr) ++node_->references;
  }
  Interned(Interned&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Interned& operator=(Interned other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Interned() { reset(); }

  void reset() {
    const Node* node = std::exchange(node_, nullptr);
    if (node != nullptr && --node->references == 0) node->pool->Drop(*node);
  }
  [[nodiscard]] bool has_value() const { return node_ != nullptr; }
  explicit operator bool() const { return has_value(); }
  const T& operator*() const { return node_->value; }
  const T* operator->() const { return &node_->value; }
  // Of one pool: whether they are the same.
  bool operator==(const Interned& other) const { return node_ == other.node_; }

 private:
  friend class Pool<T>;
  struct Node {
    T value;
    Pool<T>* pool;
    mutable std::size_t references = 0;
  };
  explicit Interned(const Node* node) : node_(node) { ++node_->references; }

  const Node* node_ = nullptr;
};

template <typename T>
class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  [[nodiscard]] Interned<T> Get(const T& value) {
    auto node = nodes_.find(value);
    if (node == nodes_.end()) node = nodes_.insert(Node{value, this}).first;
    return Interned<T>(&*node);
  }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }

 private:
  friend class Interned<T>;
  using Node = typename Interned<T>::Node;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const T& value) const { return std::hash<T>()(value); }
    std::size_t operator()(const Node& node) const { return std::hash<T>()(node.value); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Node& one, const Node& other) const { return one.value == other.value; }
    bool operator()(const T& one, const Node& other) const { return one == other.value; }
    bool operator()(const Node& one, const T& other) const { return one.value == other; }
  };
  void Drop(const Node& node) { nodes_.erase(nodes_.find(node.value)); }

  std::unordered_set<Node, Hash, Equal> nodes_;
};

}  // namespace dpuflow::flow
