#include "candidates.h"

#include <limits.h>
#include <string.h>

#include "../strs.h"

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* A walk over the directories of a path. */
typedef struct walk {
  pm_str_t rest; /* base == NULL: the walk is over */
  bool once;     /* the first directory is enough */
} walk_t;

static walk_t walk_begin(pm_str_t command, pm_str_t path) {
  walk_t walk = {path, false};
  if (path.base == NULL) walk.rest = (pm_str_t){default_path, sizeof(default_path) - 1};
  /* execve answers ENAMETOOLONG in each directory. Without this bound the list
   * would take the length of the command times that of the path. */
  walk.once = command.len > NAME_MAX;
  return walk;
}

/* The next directory, "." for an empty element; false when there is none. */
static bool walk_next(walk_t *walk, pm_str_t *dir) {
  if (walk->rest.base == NULL) return false;
  *dir = walk->rest;
  const char *colon = dir->len > 0 ? memchr(dir->base, ':', dir->len) : NULL;
  if (colon != NULL) {
    dir->len = (size_t)(colon - dir->base);
    walk->rest.base += dir->len + 1;
    walk->rest.len -= dir->len + 1;
  }
  if (colon == NULL || walk->once) walk->rest.base = NULL;
  if (dir->len == 0) *dir = (pm_str_t){".", 1};
  return true;
}

size_t pm__candidates_measure(pm_str_t command, pm_str_t path, size_t *bytes) {
  pm_str_t dir;
  size_t count = 0;
  *bytes = command.len + 1;
  if (pm__str_has(command, '/')) return 1;
  *bytes = 0;
  for (walk_t walk = walk_begin(command, path); walk_next(&walk, &dir); count++)
    *bytes += dir.len + command.len + 2;
  return count;
}

void pm__candidates_write(pm_str_t command, pm_str_t path, char **list, char *out) {
  pm_str_t dir;
  if (pm__str_has(command, '/')) {
    *list = out;
    pm__str_copy(out, command);
    return;
  }
  for (walk_t walk = walk_begin(command, path); walk_next(&walk, &dir);) {
    *list++ = out;
    out = pm__str_copy(out, dir);
    out[-1] = '/';
    out = pm__str_copy(out, command);
  }
}
