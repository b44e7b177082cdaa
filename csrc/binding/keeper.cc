#include "keeper.h"

#include <dlfcn.h>

#include <climits>
#include <cstdio>
#include <cstring>

namespace binding {

static const char file_name[] = "mcp-process-keeper";

/* Any function of the addon's own would do. */
static void address_inside() {
}

/* The file beside the one that this code was loaded from: Node looks for the
 * addon in several places, and only the dynamic linker knows where it was. */
static bool FindPath(char *out, size_t size) {
  Dl_info here;
  if (dladdr(reinterpret_cast<const void *>(&address_inside), &here) == 0 || here.dli_fname == nullptr) return false;
  const char *slash = std::strrchr(here.dli_fname, '/');
  int length = slash == nullptr ? 0 : static_cast<int>(slash + 1 - here.dli_fname);
  int needed = std::snprintf(out, size, "%.*s%s", length, here.dli_fname, file_name);
  return length > 0 && needed > 0 && static_cast<size_t>(needed) < size;
}

Keeper::Keeper() {
  char path[PATH_MAX];
  if (!FindPath(path, sizeof(path))) {
    error_.err = UV_ENOENT;
    error_.code = "ERR_KEEPER_UNAVAILABLE";
    error_.kind = "Error";
    std::snprintf(error_.message, sizeof(error_.message), "%s cannot be found: nobody knows the addon's directory",
                  file_name);
  } else if (pm_keeper_open(path, &keeper_, &error_) != 0) {
    keeper_ = nullptr;
    std::snprintf(error_.path, sizeof(error_.path), "%.*s", static_cast<int>(sizeof(error_.path) - 1), path);
  }
}

Keeper::~Keeper() {
  pm_keeper_unref(keeper_);
}

} // namespace binding
