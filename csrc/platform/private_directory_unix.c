#define _GNU_SOURCE
#include "private_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* Deeper than this nothing is removed: a descriptor is open for each level. */
enum { MAX_DEPTH = 256 };

int pm__private_directory_make(char *path, size_t size) {
  char base[1024];
  size_t len = sizeof(base);
  int r = uv_os_tmpdir(base, &len);
  if (r != 0) return r;
  int n = snprintf(path, size, "%s/mcp-process-XXXXXX", base);
  if (n < 0 || (size_t)n >= size) return UV_ENAMETOOLONG;
  if (!mkdtemp(path)) return -errno;
  /* A umask may have taken the owner's own rights. */
  if (chmod(path, 0700) == 0) return 0;
  r = -errno;
  rmdir(path);
  return r;
}

/* What is gone by itself, since somebody still works there, needs no removal. */
static int failure(void) {
  return errno == ENOENT ? 0 : -errno;
}

static int remove_entries(int dir, int depth);

/* Opened by name within its parent and only if it is a directory itself, so
 * that a link put in its place meanwhile is not entered. */
static int remove_directory(int parent, const char *name, int depth) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) {
    /* The command may have closed its own directory; it is ours all the same. */
    if (fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
      fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  if (fd < 0) return failure();
  int r = remove_entries(fd, depth);
  if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && r == 0) r = failure();
  return r;
}

static int remove_entry(int dir, const char *name, int depth) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return failure();
  if (S_ISDIR(st.st_mode)) return depth >= MAX_DEPTH ? UV_ENAMETOOLONG : remove_directory(dir, name, depth + 1);
  return unlinkat(dir, name, 0) == 0 ? 0 : failure();
}

/* Takes fd over. */
static int remove_entries(int fd, int depth) {
  int result = 0;
  fchmod(fd, 0700);
  DIR *dir = fdopendir(fd);
  if (!dir) {
    result = -errno;
    close(fd);
    return result;
  }
  const struct dirent *entry;
  while ((entry = readdir(dir))) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    int r = remove_entry(dirfd(dir), entry->d_name, depth);
    if (r != 0 && result == 0) result = r;
  }
  closedir(dir);
  return result;
}

int pm__private_directory_remove(const char *path) {
  return remove_directory(AT_FDCWD, path, 0);
}
