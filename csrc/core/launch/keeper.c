#include "keeper.h"

#include <stdio.h>
#include <string.h>

#include "../../platform/keeper_probe.h"
#include "../alloc.h"
#include "../error.h"

struct pm_keeper {
  unsigned refs;
  int fd; /* -1: something was short when it was tried */
  char path[];
};

static int unavailable(pm_error_t *error, const char *path, int err, const char *syscall, const char *what) {
  pm__error_set(error, err, NULL, "Error", "%s", "");
  const char *name = error->code;
  pm__error_set(error, err, "ERR_KEEPER_UNAVAILABLE", "Error",
                "Processes are contained by their process group only, not as a tree: %s (%s, %s)", what, name, syscall);
  error->syscall = syscall;
  snprintf(error->path, sizeof(error->path), "%s", path);
  return err;
}

void pm__keeper_unusable(pm_error_t *error) {
  unavailable(error, "", UV_ENOTSUP, "pidfd_open", "this process is refused pidfds");
}

/* Descriptors, processes or memory are short: not for ever. */
static bool passes(int err) {
  return err == UV_EAGAIN || err == UV_EMFILE || err == UV_ENFILE || err == UV_ENOMEM;
}

int pm__keeper_ready(pm_keeper_t *keeper, pm_error_t *error) {
  if (keeper->fd >= 0) return 0;
  pm__keeper_failure_t why;
  int fd = pm__keeper_try(keeper->path, &why);
  if (fd < 0) return unavailable(error, keeper->path, fd, why.syscall, why.what);
  keeper->fd = fd;
  return 0;
}

int pm_keeper_open(const char *path, pm_keeper_t **out, pm_error_t *error) {
  size_t size = strlen(path) + 1;
  pm_keeper_t *keeper = pm__malloc(sizeof(*keeper) + size);
  if (!keeper) return pm__error_no_memory(error);
  *keeper = (pm_keeper_t){.refs = 1, .fd = -1};
  memcpy(keeper->path, path, size);
  int r = pm__keeper_ready(keeper, error);
  if (r != 0 && !passes(r)) {
    pm_keeper_unref(keeper);
    return r;
  }
  *out = keeper;
  return 0;
}

pm_keeper_t *pm__keeper_ref(pm_keeper_t *keeper) {
  if (keeper) keeper->refs++;
  return keeper;
}

int pm__keeper_descriptor(const pm_keeper_t *keeper) {
  return keeper->fd;
}

void pm_keeper_unref(pm_keeper_t *keeper) {
  if (!keeper || --keeper->refs > 0) return;
  if (keeper->fd >= 0) pm__keeper_shut(keeper->fd);
  pm__free(keeper);
}
