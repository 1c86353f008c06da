// From text to views.
#include <thalweg/text.hpp>

#include <utility>

#include <thalweg/core/error.hpp>

#include "calls.hpp"

namespace thalweg {

namespace {

using namespace text;

constexpr std::string_view expected_views =
    "a view: stack, stack(stride=n), filters, row_blocks(q=64, k=16, v=16), column_blocks(…)";

std::size_t size_of(const call& w, const argument& a) {
  const auto size = a.value.size() == 1 ? read_whole_number(a.value.front()) : std::nullopt;
  if (!size || *size < 1) refuse_argument(w.text, "whole numbers >= 1", a);
  return static_cast<std::size_t>(*size);
}

std::vector<view::block> blocks_of(const call& w) {
  std::vector<view::block> blocks;
  for (const argument& a : w.arguments) blocks.push_back({a.name, size_of(w, a)});
  if (blocks.empty())
    throw error("parse", "Expected for ", w.text, ": the sizes of its blocks. Received none at column ", w.column, ".");
  return blocks;
}

view::part part_of(const call& w) {
  if (w.text == "row_blocks") return view::row_blocks{blocks_of(w)};
  if (w.text == "column_blocks") return view::column_blocks{blocks_of(w)};
  if (w.text == "stack") {
    view::stack s;
    for (const argument& a : w.arguments) {
      if (a.name != "stride" || s.stride) refuse_argument(w.text, "stride", a);
      s.stride = size_of(w, a);
    }
    return s;
  }
  if (w.text == "filters") {
    if (!w.arguments.empty()) refuse_argument(w.text, "nothing", w.arguments.front());
    return view::filters{};
  }
  throw error("parse", "Expected ", expected_views, ". Received ", in_quotes(w.text), " at column ", w.column, ".");
}

}  // namespace

view::list parse_view(std::string_view text) {
  std::vector<view::part> parts;
  for (const call& w : calls_of(text)) parts.push_back(part_of(w));
  return parts;
}

}  // namespace thalweg
