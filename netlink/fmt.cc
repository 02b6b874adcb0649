// SPDX-License-Identifier: Apache-2.0
//
// The code of {fmt}, compiled once: as a header-only library it would be compiled again in each of our files, which takes
// longer than most of them, and Debian has no static library of it. What only its own source file instantiates is here,
// as https://fmt.dev/latest/get-started (FMT_HEADER_ONLY) leaves it to whoever builds it.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

template auto dragonbox::to_decimal(float) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double) noexcept -> dragonbox::decimal_fp<double>;
template locale_ref::locale_ref(const std::locale&);
template auto locale_ref::get<std::locale>() const -> std::locale;
template auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref) -> char;

}  // namespace detail
FMT_END_NAMESPACE
