// The number type of kernels: the same source for a float, a double and a SIMD register of either.
#pragma once

#include <type_traits>
#include <utility>

#include <thalweg/core/scalar.hpp>

namespace thalweg {

namespace detail {
/// √x of a register: xsimd's is in <thalweg/core/square_root.hpp>, any other's in its own namespace.
template <class Register>
[[gnu::always_inline]] inline Register square_root(Register x);
}  // namespace detail

/// A number in a register: `number<float>` has one lane, `number<xsimd::batch<float>>` many. Hyper-parameters (double)
/// convert implicitly, so `b * momentum` looks like the formula and is computed in the precision of the lanes.
template <class Register>
class number {
  Register value_{};

public:
  using scalar = decltype([] {
    if constexpr (std::is_arithmetic_v<Register>) return Register();
    else return typename Register::value_type();
  }());
  using mask = decltype(std::declval<Register>() < std::declval<Register>());

  constexpr number() = default;
  template <class H>
    requires std::is_arithmetic_v<H>
  constexpr number(H h) : value_(saturated<scalar>(static_cast<double>(h))) {}
  constexpr number(Register r)
    requires(!std::is_arithmetic_v<Register>)
      : value_(r) {}

  [[nodiscard]] constexpr Register value() const { return value_; }

  /// A constant in the lanes' own type. (g++ would convert a constant double in the loop.)
  static constexpr number of_lanes(scalar x) {
    number n;
    n.value_ = Register(x);
    return n;
  }

  friend constexpr number operator+(number a, number b) { return {Register(a.value_ + b.value_)}; }
  friend constexpr number operator-(number a, number b) { return {Register(a.value_ - b.value_)}; }
  friend constexpr number operator*(number a, number b) { return {Register(a.value_ * b.value_)}; }
  friend constexpr number operator/(number a, number b) { return {Register(a.value_ / b.value_)}; }
  friend constexpr number operator-(number a) { return {Register(-a.value_)}; }
  constexpr number& operator+=(number b) { return *this = *this + b; }
  constexpr number& operator-=(number b) { return *this = *this - b; }
  constexpr number& operator*=(number b) { return *this = *this * b; }
  constexpr number& operator/=(number b) { return *this = *this / b; }

  friend constexpr mask operator<(number a, number b) { return a.value_ < b.value_; }
  friend constexpr mask operator>(number a, number b) { return a.value_ > b.value_; }
  friend constexpr mask operator<=(number a, number b) { return a.value_ <= b.value_; }
  friend constexpr mask operator>=(number a, number b) { return a.value_ >= b.value_; }
  friend constexpr mask operator==(number a, number b) { return a.value_ == b.value_; }
  friend constexpr mask operator!=(number a, number b) { return a.value_ != b.value_; }

  friend constexpr number where(mask condition, number a, number b) {
    if constexpr (std::is_arithmetic_v<Register>) return condition ? a : b;
    else return {Register(select(condition, a.value_, b.value_))};  // of the register's namespace, like those below
  }
  [[gnu::always_inline]] friend constexpr number sqrt(number a) {
    using detail::square_root;
    if constexpr (std::is_arithmetic_v<Register>) return {thalweg::sqrt(a.value_)};
    else return {Register(square_root(a.value_))};
  }
  friend constexpr number abs(number a) {
    if constexpr (std::is_arithmetic_v<Register>) return {thalweg::abs(a.value_)};
    else return {Register(abs(a.value_))};
  }
  friend constexpr number min(number a, number b) {
    if constexpr (std::is_arithmetic_v<Register>) return {thalweg::min(a.value_, b.value_)};
    else return {Register(min(b.value_, a.value_))};  // in this order the instruction returns a NaN of a
  }
  friend constexpr number max(number a, number b) {
    if constexpr (std::is_arithmetic_v<Register>) return {thalweg::max(a.value_, b.value_)};
    else return {Register(max(b.value_, a.value_))};
  }
  friend constexpr number sign(number a) { return where(a > 0, number(1), where(a < 0, number(-1), a)); }
  [[gnu::always_inline]] friend constexpr number lerp(number a, number b, double weight) {
    const number s(1 - weight);
    return (b - s * b) + s * a;
  }
  // Two functions: nvcc drops a friend's default argument.
  [[gnu::always_inline]] friend constexpr number squarable(number a) { return squarable(a, 1); }
  [[gnu::always_inline]] friend constexpr number squarable(number a, double share) {
    const scalar longest = squarable(std::numeric_limits<scalar>::max(), share);
    return min(max(a, of_lanes(-longest)), of_lanes(longest)) + of_lanes(0) * a;
  }
};

}  // namespace thalweg
