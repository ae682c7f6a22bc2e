// check.h — cmocka is the runner; CHECK throws, so that destructors run; cmocka only jumps when nothing is alive.
//
// Use      static void a_sentence_about_behaviour() { CHECK_EQ(f(1), 2); }
//          int main() { const CMUnitTest tests[] = {CASE(a_sentence_about_behaviour)}; return RUN_TESTS("thing", tests); }
// Rule     cmocka's own assert_*, expect_* and mock() are not used: they longjmp over destructors.
#pragma once

#include <cstdarg>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>
#include <type_traits>

#include "base/result.h"

extern "C" {
#include <cmocka.h>
}
#undef fail
#undef skip
#undef mock

namespace t {

struct Failure : std::exception {
  std::string file, text;
  int line;
  Failure(const char* f, int l, std::string what) : file(f), text(std::move(what)), line(l) {}
};

inline char g_message[2048];
inline char g_file[512];
inline int g_line;

[[noreturn]] inline void raise(const char* file, int line, const std::string& what) { throw Failure(file, line, what); }

template <class T>
std::string show(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_enum_v<T>) {
    out << static_cast<long>(value);
  } else if constexpr (requires { out << value; }) {
    out << value;
  } else {
    out << "(value)";
  }
  return out.str();
}

template <class A, class B>
void check_eq(const char* file, int line, const char* text, const A& a, const B& b) {
  if (!(a == b)) raise(file, line, std::string("CHECK_EQ(") + text + ")\n  left:  " + show(a) + "\n  right: " + show(b));
}

template <class T>
T take(const char* file, int line, const char* text, cloakroom::Result<T> result) {
  if (!result) {
    raise(file, line, std::string(text) + " failed: code " + show(result.error().code) + ", " + result.error().detail);
  }
  return std::move(*result);
}

inline bool run(void (*body)()) noexcept {
  try {
    body();
    return true;
  } catch (const Failure& f) {
    std::snprintf(g_message, sizeof g_message, "%s", f.text.c_str());
    std::snprintf(g_file, sizeof g_file, "%s", f.file.c_str());
    g_line = f.line;
  } catch (const std::exception& e) {
    std::snprintf(g_message, sizeof g_message, "exception: %s", e.what());
    std::snprintf(g_file, sizeof g_file, "?");
    g_line = 0;
  }
  return false;
}

template <void (*Body)()>
void entry(void**) {
  if (!run(Body)) {
    print_error("%s\n", g_message);
    _fail(g_file, g_line);
  }
}

}  // namespace t

#define CHECK(cond)                                                  \
  do {                                                               \
    if (!(cond)) t::raise(__FILE__, __LINE__, "CHECK(" #cond ")");   \
  } while (0)
#define CHECK_EQ(a, b) t::check_eq(__FILE__, __LINE__, #a ", " #b, a, b)
#define CHECK_OK(result) t::take(__FILE__, __LINE__, #result, result)
#define CHECK_ERR(result, expected)                                                               \
  do {                                                                                            \
    auto check_err_ = (result);                                                                   \
    if (check_err_) t::raise(__FILE__, __LINE__, #result " succeeded, wanted " #expected);        \
    t::check_eq(__FILE__, __LINE__, #result ", " #expected, check_err_.error().code, (expected)); \
  } while (0)
#define CASE(fn) {#fn, t::entry<fn>, nullptr, nullptr, nullptr}
#define RUN_TESTS(name, tests) cmocka_run_group_tests_name(name, tests, nullptr, nullptr)
