// Views: what a parameter is, where its shape does not say it.
//
//     parameter<float> w{.name = "attention", .shape = {12, 2304, 768}, .role = role::hidden, .data = arena + offset,
//                        .view = {view::stack{}, view::row_blocks{{{"q", 768}, {"k", 768}, {"v", 768}}}}};
//
// binds 36 matrices of shape (768, 768): `attention[0].q`, `attention[0].k`, …, `attention[11].v`. Each is a parameter of
// its own: for the routes, for all transforms, in `describe()`, in a step's report and in a checkpoint. The gradient is
// given once, for the whole parameter, and lies in memory as the parameter does.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace thalweg::view {

/// Each first index is a parameter: (E, m, n) is E matrices of shape (m, n), named `name[0]` to `name[E-1]`.
/// `stride`: the elements from the beginning of one to the beginning of the next, where they do not follow each other. Such
/// a stack comes first in its view.
struct stack {
  std::optional<std::size_t> stride{};
};

/// One matrix of shape (first, rest): the filters of a convolution. A transform of matrices takes a parameter of rank >= 4
/// so without being told. Rank 3 must say it.
struct filters {};

/// A block, named `name.q`, or `name[i]` where it has no name of its own.
struct block {
  std::string name{};
  std::size_t size = 0;  ///< rows or columns
};

/// Blocks of rows, one below the other, whose sizes add up to the rows: fused q, k and v. A vector has rows too.
struct row_blocks {
  std::vector<block> blocks;
};

/// Blocks of columns of a matrix, side by side. In a row-major matrix a block does not lie in one piece: the optimizer
/// keeps a copy of it, which it reads and writes in every step. So do blocks of rows in a column-major matrix.
struct column_blocks {
  std::vector<block> blocks;
};

using part = std::variant<stack, filters, row_blocks, column_blocks>;

/// What a parameter is, from outside to inside. Nothing: what its shape says.
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
