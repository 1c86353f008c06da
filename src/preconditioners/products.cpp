#include "products.hpp"

namespace thalweg::detail {

template <class T>
void multiply(const matrix<T>& a, const matrix<T>& b, matrix<T> out) {
  out.noalias() = a * b;
}
template <class T>
void multiply(const transposed<T>& a, const matrix<T>& b, matrix<T> out) {
  out.noalias() = a * b;
}
template <class T>
void multiply(const matrix<T>& a, const transposed<T>& b, matrix<T> out) {
  out.noalias() = a * b;
}

template <class T>
void add_product(const matrix<T>& a, const transposed<T>& b, matrix<T> out) {
  out.noalias() += a * b;
}
template <class T>
void add_product(const transposed<T>& a, const matrix<T>& b, matrix<T> out) {
  out.noalias() += a * b;
}

template <class T>
void average_product(const matrix<T>& a, const transposed<T>& b, matrix<T> out, T keep, T add) {
  out = keep * out + add * (a * b);
}
template <class T>
void average_product(const transposed<T>& a, const matrix<T>& b, matrix<T> out, T keep, T add) {
  out = keep * out + add * (a * b);
}

template void multiply(const matrix<float>&, const matrix<float>&, matrix<float>);
template void multiply(const transposed<float>&, const matrix<float>&, matrix<float>);
template void multiply(const matrix<float>&, const transposed<float>&, matrix<float>);
template void add_product(const matrix<float>&, const transposed<float>&, matrix<float>);
template void add_product(const transposed<float>&, const matrix<float>&, matrix<float>);
template void average_product(const matrix<float>&, const transposed<float>&, matrix<float>, float, float);
template void average_product(const transposed<float>&, const matrix<float>&, matrix<float>, float, float);
template void multiply(const matrix<double>&, const matrix<double>&, matrix<double>);
template void multiply(const transposed<double>&, const matrix<double>&, matrix<double>);
template void multiply(const matrix<double>&, const transposed<double>&, matrix<double>);
template void add_product(const matrix<double>&, const transposed<double>&, matrix<double>);
template void add_product(const transposed<double>&, const matrix<double>&, matrix<double>);
template void average_product(const matrix<double>&, const transposed<double>&, matrix<double>, double, double);
template void average_product(const transposed<double>&, const matrix<double>&, matrix<double>, double, double);

}  // namespace thalweg::detail
