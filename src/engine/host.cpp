#include "host.hpp"

namespace thalweg::detail {

template class host<float>;
template class host<double>;

template <class T>
std::shared_ptr<device<T>> make_host(bound_program<T> bound) {
  return std::make_shared<host<T>>(std::move(bound));
}
template std::shared_ptr<device<float>> make_host(bound_program<float>);
template std::shared_ptr<device<double>> make_host(bound_program<double>);

}  // namespace thalweg::detail
