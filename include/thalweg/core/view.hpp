// Views: divide a parameter into several matrices or vectors.
//
//     parameter<float> w{.name = "attention", .shape = {12, 2304, 768}, .role = role::hidden, .data = arena + offset,
//                        .view = {view::stack{}, view::row_blocks{{{"q", 768}, {"k", 768}, {"v", 768}}}}};
//
// binds 36 matrices of shape (768, 768): `attention[0].q`, `attention[0].k`, …, `attention[11].v`. Each is a parameter
// of its own: for routes, for transforms, in `describe()`, in reports and in checkpoints. You pass one gradient for the
// whole parameter, with the same layout in memory.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace thalweg::view {

/// Each first index is a parameter: (E, m, n) is E matrices of shape (m, n), named `name[0]` to `name[E-1]`. `stride`:
/// the number of elements from the beginning of one part to the next, if there are gaps. Such a stack must come first
/// in the view.
struct stack {
  std::optional<std::size_t> stride{};
};

/// One matrix of shape (first, rest): the filters of a convolution. A transform of matrices treats rank >= 4 in this
/// way without a view. Rank 3 needs one.
struct filters {};

/// A block, named `name.q`, or `name[i]` if it has no name.
struct block {
  std::string name{};
  std::size_t size = 0;  ///< rows or columns
};

/// Blocks of rows, one below the other, whose sizes add up to the rows: fused q, k and v. A vector has rows too.
struct row_blocks {
  std::vector<block> blocks;
};

/// Blocks of columns of a matrix, side by side. In a row-major matrix a block is not contiguous: the optimizer keeps a
/// copy, and reads and writes the parameter in every step. So it does for blocks of rows in a column-major matrix.
struct column_blocks {
  std::vector<block> blocks;
};

using part = std::variant<stack, filters, row_blocks, column_blocks>;

/// The views of a parameter, from outside to inside. Empty: the parameter is one matrix or vector, as its shape says.
class list {
  std::vector<part> parts_;

public:
  // In the library: every program copies parameters, and few have views.
  list() noexcept;
  list(std::initializer_list<part> parts);
  list(std::vector<part> parts);
  list(const list&);
  list(list&&) noexcept;
  list& operator=(const list&);
  list& operator=(list&&) noexcept;
  ~list();

  [[nodiscard]] const std::vector<part>& parts() const { return parts_; }
};

}  // namespace thalweg::view
