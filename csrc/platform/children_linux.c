#include "children.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

/* FNV-1a of 64 bits. */
static const uint64_t digest_of_nothing = UINT64_C(14695981039346656037);
static const uint64_t digest_factor = UINT64_C(1099511628211);

int pm__children_open(int pid, pm__metrics_source_t *out) {
  char path[64];
  *out = PM__METRICS_SOURCE_INVALID;
  if (pid <= 0) return UV_ESRCH;
  snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
  return pm__metrics_open_file(path, out);
}

/* "12 345 ". What a read cuts off goes on in the next. */
typedef struct list {
  int *pids;
  int count, max;
  int pid; /* as far as it has been read */
  uint64_t digest;
} list_t;

static void add_text(list_t *list, const char *text, ssize_t len) {
  for (ssize_t i = 0; i < len; i++) {
    list->digest = (list->digest ^ (unsigned char)text[i]) * digest_factor;
    if (text[i] >= '0' && text[i] <= '9') {
      list->pid = list->pid * 10 + (text[i] - '0');
    } else if (list->pid > 0) {
      if (list->count < list->max) list->pids[list->count++] = list->pid;
      list->pid = 0;
    }
  }
}

int pm__children_read(pm__metrics_source_t source, int *pids, int max, uint64_t *digest) {
  char text[4096];
  list_t list = {.pids = pids, .max = max, .digest = digest_of_nothing};
  off_t at = 0;
  for (;;) {
    ssize_t n = pread(source.fd, text, sizeof(text), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return uv_translate_sys_error(errno);
    if (n == 0) break;
    add_text(&list, text, n);
    at += n;
  }
  *digest = list.digest ? list.digest : 1;
  return list.count;
}
