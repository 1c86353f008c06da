#include "settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <thalweg/core/error.hpp>
#include <thalweg/core/text.hpp>

namespace thalweg::detail {

namespace {

/// A field, and the name that it alone has.
struct place {
  std::string name;
  std::size_t transform;
  number_field number;
};

/// The fields that a name stands for: `scale_by_adam.beta2` is that of all transforms of this name.
template <class T>
std::vector<place> places_of(std::string_view where, std::span<const any_transform<T>> all, std::string_view name) {
  std::map<std::string_view, int> count, seen;
  for (const auto& t : all) ++count[t.info->name];
  std::vector<place> found;
  std::string known;
  for_each_field<options>([&](const auto& field) { known += in_words(known.empty() ? "" : ", ", field.name); });
  for (std::size_t t = 0; t < all.size(); ++t) {
    const transform_info& info = *all[t].info;
    const int nth = ++seen[info.name];
    for (const number_field& number : info.numbers()) {
      const std::string of_all = in_words(info.name, ".", number.name);
      const std::string of_this = count[info.name] > 1 ? in_words(info.name, "#", nth, ".", number.name) : of_all;
      if (name == of_all || name == of_this) found.push_back({of_this, t, number});
      known += in_words(", ", of_this);
    }
  }
  if (found.empty()) throw error(where, "Expected one of ", known, ". Received ", in_quotes(name), ".");
  return found;
}

void check_whole(std::string_view where, std::string_view name, double value) {
  if (value != std::round(value) || std::abs(value) > 0x1p53)
    throw error(where, "Expected a whole number as ", name, ". Received ", value, ".");
}

/// Calls f(field) for the option of that name. Returns whether there is one.
template <class F>
bool on_option(std::string_view name, F f) {
  bool found = false;
  for_each_field<options>([&](const auto& field) {
    if (field.name != name) return;
    found = true;
    f(field);
  });
  return found;
}

}  // namespace

template <class T>
void settings<T>::set(std::string_view where, std::span<const any_transform<T>> all, std::string_view name, double value) {
  settings next = *this;
  const bool is_option = on_option(name, [&]<class Field>(const Field& field) {
    check_in_range(where, name, value, field.allowed);
    using number = typename Field::value_type;
    if (std::is_integral_v<number>) check_whole(where, name, value);
    next.options_.*field.member = field_value<number>(value);
    if (name != "lr") next.changed_[std::string(name)] = value;
  });
  if (!is_option)
    for (const place& p : places_of(where, all, name)) {
      if (p.number.is_whole) check_whole(where, name, value);
      next.changed_[p.name] = value;
      auto& fields = next.fields_[p.transform];
      std::erase_if(fields, [&](const field_value_now& f) { return f.field == p.number.field; });
      fields.push_back({p.number.field, value});
      all[p.transform].code->check_fields(fields);
    }
  *this = std::move(next);
}

template <class T>
double settings<T>::get(std::span<const any_transform<T>> all, std::string_view name) const {
  double value = 0;
  if (on_option(name, [&](const auto& field) { value = static_cast<double>(options_.*field.member); })) return value;
  const place first = places_of("get", all, name).front();
  for (const field_value_now& f : fields_[first.transform])
    if (f.field == first.number.field) return f.value;
  return first.number.value;
}

template class settings<float>;
template class settings<double>;

}  // namespace thalweg::detail
