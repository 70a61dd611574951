// libstdc++'s own handler would bring the demangler with it, 100 KB of it, for an exception that nothing
// throws.
#include <cstdlib>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx
