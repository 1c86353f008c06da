#include "views.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <thalweg/core/error.hpp>

namespace thalweg::view {

list::list() noexcept = default;
list::list(std::initializer_list<part> parts) : parts_(parts) {}
list::list(std::vector<part> parts) : parts_(std::move(parts)) {}
list::list(const list&) = default;
list::list(list&&) noexcept = default;
list& list::operator=(const list&) = default;
list& list::operator=(list&&) noexcept = default;
list::~list() = default;

}  // namespace thalweg::view

namespace thalweg::detail {

namespace {

constexpr std::size_t most_parts = 1u << 20;

[[noreturn]] void refuse(const parameter_info& p, const auto& expected, const auto&... received) {
  throw error("optimizer", "Expected ", expected, " of ", in_quotes(p.name), " with shape ", p.shape, ". Received ",
              received..., ".");
}

bool lies_by_rows(const parameter_info& p) { return p.order == storage_order::row_major; }

/// The lines of a parameter that lies in one piece: its rows, or its columns where it lies by columns.
parameter_part whole_of(parameter_info p) {
  const std::size_t lines = p.shape.empty() ? 1 : lies_by_rows(p) ? p.rows() : p.cols(), length = p.size() / lines;
  return {.info = std::move(p), .lines = lines, .length = length, .stride = length};
}

std::string name_of_part(const parameter_part& p, const view::block& b, std::size_t i) {
  return b.name.empty() ? in_words(p.info.name, "[", i, "]") : in_words(p.info.name, ".", b.name);
}

/// Cuts a side of `sides` elements into blocks. `cut(begin, size)` makes the part of one.
template <class Cut>
std::vector<parameter_part> blocks_of(const parameter_part& p, std::string_view what, std::size_t side, const std::vector<view::block>& blocks,
                            Cut cut) {
  std::size_t begin = 0;
  std::vector<parameter_part> parts;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::size_t size = blocks[i].size;
    if (size == 0 || size > side - begin) break;
    parameter_part one = cut(begin, size);
    one.info.name = name_of_part(p, blocks[i], i);
    parts.push_back(std::move(one));
    begin += size;
  }
  if (begin == side && parts.size() == blocks.size()) return parts;
  std::string sizes;
  for (const view::block& b : blocks) sizes += in_words(sizes.empty() ? "" : " + ", b.size);
  refuse(p.info, in_words("blocks of >= 1 ", what, " that add up to the ", side), sizes.empty() ? "none" : sizes);
}

parameter_part lines_from(parameter_part p, std::size_t begin, std::size_t count) {
  p.offset += begin * p.stride;
  p.lines = count;
  return p;
}
parameter_part piece_of_lines(parameter_part p, std::size_t begin, std::size_t length) {
  p.offset += begin;
  p.length = length;
  return p;
}

std::vector<parameter_part> split(const parameter_part& p, const view::filters&) {
  if (p.info.shape.size() < 2) refuse(p.info, "rank >= 2 for view::filters", "it");
  if (!lies_by_rows(p.info)) return {p};
  parameter_part one = p;
  one.info.shape = {p.info.rows(), p.info.cols()};
  return {one};
}

std::vector<parameter_part> split(const parameter_part& p, const view::stack& s) {
  if (p.info.shape.size() < 2 || !lies_by_rows(p.info)) refuse(p.info, "rank >= 2 by rows for view::stack", "it");
  const std::size_t count = p.info.rows(), size = p.info.cols();
  if (s.stride && (*s.stride < size || *s.stride > std::size_t{PTRDIFF_MAX} / 8 / count))
    refuse(p.info, in_words("a stride >= ", size, " of the stack"), *s.stride);
  if (count > most_parts) refuse(p.info, in_words("at most ", most_parts, " parts"), count);
  std::vector<parameter_part> parts;
  for (std::size_t i = 0; i < count; ++i) {
    parameter_info info = p.info;
    info.name = in_words(info.name, "[", i, "]");
    info.shape.erase(info.shape.begin());
    if (p.stride == p.length) {
      parameter_part one = whole_of(std::move(info));
      one.offset = p.offset + i * s.stride.value_or(size);
      parts.push_back(std::move(one));
    } else {  // a line of a matrix that does not lie together
      parts.push_back({.info = std::move(info), .offset = p.offset + i * p.stride, .lines = size, .length = 1, .stride = 1});
    }
  }
  return parts;
}

std::vector<parameter_part> split(const parameter_part& p, const view::row_blocks& by) {
  if (p.info.shape.empty()) refuse(p.info, "rank >= 1 for view::row_blocks", "it");
  return blocks_of(p, "rows", p.info.rows(), by.blocks, [&](std::size_t begin, std::size_t size) {
    parameter_part one = lies_by_rows(p.info) ? lines_from(p, begin, size) : piece_of_lines(p, begin, size);
    one.info.shape.front() = size;
    return one;
  });
}

std::vector<parameter_part> split(const parameter_part& p, const view::column_blocks& by) {
  if (p.info.shape.size() != 2) refuse(p.info, "rank 2 for view::column_blocks", "it");
  return blocks_of(p, "columns", p.info.cols(), by.blocks, [&](std::size_t begin, std::size_t size) {
    parameter_part one = lies_by_rows(p.info) ? piece_of_lines(p, begin, size) : lines_from(p, begin, size);
    one.info.shape.back() = size;
    return one;
  });
}

}  // namespace

std::vector<parameter_part> parts_of(const parameter_info& whole, const std::vector<view::part>& view) {
  if (whole.size() == 0) return {};
  std::vector<parameter_part> parts{whole_of(whole)};
  for (const view::part& step : view) {
    if (const auto* const stack = std::get_if<view::stack>(&step); stack && stack->stride && &step != &view.front())
      refuse(whole, "a stack with a stride first in the view", "it behind another part");
    std::vector<parameter_part> inner;
    for (const parameter_part& p : parts)
      for (parameter_part& one : std::visit([&](const auto& how) { return split(p, how); }, step)) inner.push_back(std::move(one));
    if (inner.size() > most_parts) refuse(whole, in_words("at most ", most_parts, " parts"), inner.size());
    parts = std::move(inner);
  }
  for (parameter_part& p : parts)
    if (p.stride == p.length || p.lines == 1) p = {std::move(p.info), p.offset, 1, p.lines * p.length, 0};
  return parts;
}

}  // namespace thalweg::detail
