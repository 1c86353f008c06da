#include "calls.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <thalweg/core/options.hpp>
#include <thalweg/core/text.hpp>

namespace thalweg::text {

namespace {

constexpr std::size_t longest_text = 64 * 1024, deepest = 32;

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_number(char c) { return is_digit(c) || c == '-' || c == '.'; }
bool is_quotation_mark(char c) { return c == '"' || c == '\''; }

class reader {
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;

  [[nodiscard]] bool is_space(std::size_t i) const {
    return text_[i] == ' ' || text_[i] == '\t' || text_[i] == '\n' || text_[i] == '\r';
  }
  void skip() {
    while (at_ < text_.size() && is_space(at_)) ++at_;
  }
  /// Where the word that begins here ends.
  [[nodiscard]] std::size_t end() const {
    std::size_t end = at_;
    if (begins_name(text_[at_])) {
      while (end < text_.size() && (begins_name(text_[end]) || is_digit(text_[end]))) ++end;
    } else if (begins_number(text_[at_])) {
      const auto belongs = [&](char c) {
        const bool exponent = text_[end - 1] == 'e' || text_[end - 1] == 'E';
        return begins_name(c) || is_digit(c) || c == '.' || ((c == '-' || c == '+') && exponent);
      };
      for (++end; end < text_.size() && belongs(text_[end]);) ++end;
    } else {
      ++end;
    }
    return end;
  }
  bool take(char c) {
    skip();
    const bool is = at_ < text_.size() && text_[at_] == c;
    at_ += is;
    return is;
  }

  call take_quotation() {
    const char mark = text_[at_];
    call w{.text = "", .column = ++at_, .arguments = {}};
    const std::size_t end = std::min(text_.find(mark, at_), text_.size());
    const std::string_view inside = text_.substr(at_, end - at_);
    at_ = end;
    if (end == text_.size()) refuse(mark == '"' ? "a second \"" : "a second '");
    ++at_;
    w.text = quotation(inside);
    return w;
  }

  call take_call() {
    skip();
    if (at_ < text_.size() && is_quotation_mark(text_[at_])) return take_quotation();
    if (at_ == text_.size() || !(begins_name(text_[at_]) || begins_number(text_[at_])))
      refuse("a name or a number");
    call w{.text = std::string(text_.substr(at_, end() - at_)), .column = at_ + 1, .arguments = {}};
    at_ = end();
    skip();
    if (begins_number(w.text.front()) || !take('(')) return w;
    if (++depth_ > deepest)
      throw error("parse", "Expected brackets at most ", deepest, " deep. Received more at column ", at_, ".");
    if (!take(')')) {
      do w.arguments.push_back(take_argument());
      while (take(','));
      if (!take(')')) refuse("',' or ')'");
    }
    --depth_;
    return w;
  }

  argument take_argument() {
    skip();
    argument a{.name = "", .column = at_ + 1};
    if (at_ < text_.size() && begins_name(text_[at_])) {
      const std::size_t name = at_, behind = end();
      at_ = behind;
      if (take('=')) a.name = text_.substr(name, behind - name);
      else at_ = name;
    }
    a.value = take_pipe();
    return a;
  }

public:
  explicit reader(std::string_view text) : text_(text) {}

  pipe take_pipe() {
    pipe p;
    do p.push_back(take_call());
    while (take('|'));
    return p;
  }
  void take_end() {
    skip();
    if (at_ < text_.size()) refuse("'|' or the end");
  }

  [[noreturn]] void refuse(std::string_view expected) const {
    const bool over = at_ >= text_.size();
    throw error("parse", "Expected ", expected, ". Received ",
                over ? "the end" : in_quotes(text_.substr(at_, end() - at_)), " at column ", at_ + 1, ".");
  }
};

std::string pipe_text(const pipe& calls) {
  std::string text;
  for (const call& w : calls) text += in_words(text.empty() ? "" : " | ", to_text(w));
  return text;
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && begins_name(text.front()) &&
         std::ranges::all_of(text, [](char c) { return begins_name(c) || is_digit(c); });
}

pipe calls_of(std::string_view text) {
  if (text.size() > longest_text)
    throw error("parse", "Expected a text of at most ", longest_text, " characters. Received ", text.size(), ".");
  reader r(text);
  pipe calls = r.take_pipe();
  r.take_end();
  return calls;
}

std::string to_text(const call& w) {
  std::string arguments;
  for (const argument& a : w.arguments) arguments += in_words(arguments.empty() ? "(" : ", ", to_text(a));
  return in_words(w.text, arguments, arguments.empty() ? "" : ")");
}
std::string to_text(const argument& a) { return in_words(a.name, a.name.empty() ? "" : "=", pipe_text(a.value)); }

void refuse_argument(std::string_view of, const std::string& expected, const argument& given, std::string_view remark,
                     std::string_view advice) {
  throw error("parse", "Expected for ", of, ": ", expected, ". Received ", in_quotes(to_text(given)), remark, " at column ",
              given.column, ".", advice);
}

namespace {
template <class Number>
std::optional<Number> number_of(const call& w) {
  Number value{};
  const char* const end = w.text.data() + w.text.size();
  const auto [read, failure] = std::from_chars(w.text.data(), end, value);
  const bool whole = failure == std::errc{} && read == end && begins_number(w.text.front()) && w.arguments.empty();
  return whole ? std::optional(value) : std::nullopt;
}

bool is_option(std::string_view name) {
  bool is = false;
  for_each_field<options>([&](const auto& field) { is |= field.name == name; });
  return is;
}
}  // namespace

std::optional<double> read_number(const call& w) { return number_of<double>(w); }
std::optional<long> read_whole_number(const call& w) {
  if (const auto whole = number_of<long>(w)) return whole;
  const auto number = number_of<double>(w);
  const bool is_whole = number && std::abs(*number) <= 0x1p53 && *number == std::floor(*number);
  return is_whole ? std::optional(static_cast<long>(*number)) : std::nullopt;
}
std::optional<std::string> read_quotation(const call& w) {
  return is_quotation_mark(w.text.front()) ? std::optional(w.text.substr(1, w.text.size() - 2)) : std::nullopt;
}

std::string in_words_of(std::span<const readable_field> fields) {
  std::string text;
  for (const auto& f : fields) text += in_words(text.empty() ? "" : ", ", f.name, f.values->expected(f.allowed));
  return text;
}

void read_fields(const call& w, std::span<const readable_field> fields) {
  const auto refuse = [&](const argument& a, std::string_view remark = "", std::string_view advice = "") {
    refuse_argument(w.text, fields.empty() ? "no arguments" : in_words_of(fields), a, remark, advice);
  };
  const auto reads = [](const readable_field& f, const argument& a) {
    return a.value.size() == 1 && f.values->read(a.value.front(), f.allowed, f.value);
  };
  std::vector<const argument*> given(fields.size());
  for (const argument& a : w.arguments) {
    const auto position = static_cast<std::size_t>(&a - w.arguments.data());
    const bool stands_for_required = a.name.empty() && position < fields.size() && fields[position].is_required;
    const auto field = stands_for_required ? fields.begin() + static_cast<std::ptrdiff_t>(position)
                                           : std::ranges::find(fields, a.name, &readable_field::name);
    if (field == fields.end()) {
      const auto fits = [&](const readable_field& f) { return a.name.empty() && reads(f, a); };
      const auto fit = std::ranges::find_if(fields, fits);
      const auto fitting = std::ranges::count_if(fields, fits);
      refuse(a, "", fitting == 1  ? in_words(" Give its name, as in ", fit->name, "=", to_text(a), ".")
                    : fitting > 1 ? " Give its name."
                    : is_option(a.name) ? in_words(" ", a.name, " is an option of the optimizer, outside of the chain.")
                                        : "");
    }
    const argument*& earlier = given[static_cast<std::size_t>(field - fields.begin())];
    if (earlier) refuse(a, ", a second time");
    earlier = &a;
  }

  std::string missing, example;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].is_required) continue;
    example += in_words(example.empty() ? "" : ", ", fields[i].name, "=", fields[i].values->example);
    if (!given[i]) missing += in_words(missing.empty() ? "" : ", ", fields[i].name);
  }
  if (!missing.empty())
    throw error(w.text, "Expected ", missing, ", as in ", w.text, "(", example, "). Received ", in_quotes(to_text(w)),
                " at column ", w.column, ".");
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (given[i] && !reads(fields[i], *given[i])) refuse(*given[i]);
}

}  // namespace thalweg::text
