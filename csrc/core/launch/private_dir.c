#include "private_dir.h"

#include <stdio.h>
#include <string.h>

#include "../../platform/private_directory.h"
#include "../alloc.h"
#include "../error.h"

typedef struct removal {
  uv_work_t work;
  pm_manager_t *manager;
  char *path; /* owned */
} removal_t;

int pm__private_dir_make(pm__process_t *p, pm_error_t *error) {
  char path[1200];
  if (p->private_dir || p->options.value[PM_OPT_PRIVATE_WORKING_DIR] == 0) return 0;
  int r = pm__private_directory_make(path, sizeof(path));
  if (r != 0) {
    pm__error_set(error, r, NULL, "Error", "Cannot make a private working directory %.400s: %s", path, uv_strerror(r));
    error->syscall = "mkdtemp";
    snprintf(error->path, sizeof(error->path), "%.1000s", path);
    return r;
  }
  p->private_dir = pm__malloc(strlen(path) + 1);
  if (!p->private_dir) {
    pm__private_directory_remove(path);
    return pm__error_no_memory(error);
  }
  memcpy(p->private_dir, path, strlen(path) + 1);
  return 0;
}

/* What was killed a moment ago may be writing its last: then the directory is not
 * empty at once. All waits together take a second. */
enum { LONGEST_WAIT = 512 };

void pm__private_dir_remove_now(pm__process_t *p) {
  if (!p->private_dir) return;
  for (unsigned ms = 1; ms <= LONGEST_WAIT; ms *= 2) {
    int r = pm__private_directory_remove(p->private_dir);
    if (r != UV_ENOTEMPTY && r != UV_EEXIST) break;
    uv_sleep(ms);
  }
  pm__free(p->private_dir);
  p->private_dir = NULL;
}

/* In a thread of libuv's pool: touches nothing but the path. */
static void do_removal(uv_work_t *work) {
  removal_t *removal = work->data;
  pm__private_directory_remove(removal->path);
}

static void after_removal(uv_work_t *work, int status) {
  removal_t *removal = work->data;
  pm_manager_t *m = removal->manager;
  if (status == UV_ECANCELED) pm__private_directory_remove(removal->path);
  pm__free(removal->path);
  pm__free(removal);
  m->works--;
  if (!m->closing) pm__manager_update_active(m);
  pm__manager_release(m);
}

void pm__private_dir_remove_later(pm__process_t *p) {
  pm_manager_t *m = p->manager;
  if (!p->private_dir) return;
  removal_t *removal = m->closing ? NULL : pm__malloc(sizeof(*removal));
  if (!removal) {
    pm__private_dir_remove_now(p);
    return;
  }
  *removal = (removal_t){.work.data = removal, .manager = m, .path = p->private_dir};
  if (uv_queue_work(m->loop, &removal->work, do_removal, after_removal) != 0) {
    pm__free(removal);
    pm__private_dir_remove_now(p);
    return;
  }
  p->private_dir = NULL;
  m->works++;
  pm__manager_hold(m);
}
